package network

import "time"

// Reporter is told how bringing a network up goes on. Calls come one at a
// time, in order.
type Reporter interface {
	// Begin announces a stage.
	Begin(stage Stage)
	// Advance tells how far a long stage is; total is an estimate.
	Advance(done, total int)
	// End tells what the stage did, or why it failed, and how long it took.
	End(stage Stage, summary string, took time.Duration, err error)
}

type silent struct{}

func (silent) Begin(Stage)                             {}
func (silent) Advance(int, int)                        {}
func (silent) End(Stage, string, time.Duration, error) {}
