package app

import "iter"

// Message is one part of an answer that goes on, as a stream carries it. One without Data sets the id, and is given to nobody.
type Message struct {
	ID   string // where somebody who comes back goes on from; empty: where the message before said
	Name string // the kind of message; empty for the ordinary one
	Data any    // a JSON object
}

// Messages are the parts of an answer that goes on. Those of one slice are sent together; whoever makes them waits until
// they have been taken. They end when ctx does, or with an error.
type Messages = iter.Seq2[[]Message, error]
