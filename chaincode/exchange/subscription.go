package exchange

import (
	"cmp"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Functions of subscriptions.
const (
	SubscriptionStart    = "subscription:Start"
	SubscriptionAnnounce = "subscription:Announce"
	SubscriptionEnd      = "subscription:End"
)

// Statuses of a subscription. One that was started has the status requested until its provider watches the record.
const (
	Watched = "watched"
	Gone    = "gone" // the record is not there any more; it may come back
	Ended   = "ended"
)

// Types of change of a subscription.
const (
	EventSubscriptionStarted   = "subscription.started.v1"
	EventSubscriptionWatched   = "subscription.watched.v1"
	EventSubscriptionAnnounced = "subscription.announced.v1"
	EventSubscriptionEnded     = "subscription.ended.v1"
)

var subscriptionEvents = []kernel.Event{
	{Type: EventSubscriptionStarted, Doc: "A consumer asked to be told of changes of a record that was delivered to it. id: the subscription, which is the use's; agency: the provider, who must watch."},
	{Type: EventSubscriptionWatched, Doc: "The provider watches the record from now on. id: the subscription; agency: the consumer."},
	{Type: EventSubscriptionAnnounced, Doc: "The record changed, went or came back; what it says now is asked for with a new use. id: the subscription; agency: the consumer."},
	{Type: EventSubscriptionEnded, Doc: "A subscription ended. id: the subscription; agency: the other of the two."},
}

// Subscription has a consumer told when a record that was delivered to it changes. requested → watched ⇄ gone → ended. Its
// id is the use's that the record was delivered for, so a record is subscribed to once for each. What it rests on is what
// the use rested on, and it is announced to only while that holds. Who it is about and which dataset is on the ledger by
// the use already: a subscription tells nobody that a record exists.
type Subscription struct {
	state.Head
	Subject  string   `json:"subject"`
	Dataset  string   `json:"dataset"`
	Fields   []string `json:"fields"` // a change of others is not announced
	Provider string   `json:"provider"`
	Consumer string   `json:"consumer"`
	Purpose  string   `json:"purpose"`
	Case     string   `json:"case"`
	Grant    string   `json:"grant"`
	Consent  string   `json:"consent,omitempty"`
	Selector string   `json:"selector"`         // the use's
	State    string   `json:"state,omitempty"`  // commitment of what the fields said when it was last announced; empty while gone
	Changes  int      `json:"changes"`          // announced
	Reason   string   `json:"reason,omitempty"` // code: why it ended
}

// Subscriptions by the use they follow.
var Subscriptions = state.Map[Subscription]{Noun: "subscription", Parts: []string{"use"},
	Doc: "A consumer is told when a record that was delivered to it changes.",
	Index: func(s Subscription) state.Index {
		return state.Index{Subject: s.Subject, Agency: s.Provider, Peer: s.Consumer, Kind: s.Dataset}
	}}

// StartSubscription asks to be told of changes (the service identity of the use's consumer).
type StartSubscription struct {
	Use string `json:"use"`
}

// AnnounceChange says what a watched record has become (the service identity of the provider): the commitment of its state,
// salted by the provider, or that it is gone. The first one says that the provider watches.
type AnnounceChange struct {
	Subscription string `json:"subscription"`
	State        string `json:"state,omitempty"` // left out: the record is gone
}

// EndSubscription ends a subscription (the service identity of either side).
type EndSubscription struct {
	Subscription string `json:"subscription"`
	Reason       string `json:"reason"` // code
}

// Changes implements kernel.Changer.
func (r AnnounceChange) Changes() string { return Subscriptions.Noun + "/" + r.Subscription }

// Changes implements kernel.Changer.
func (r EndSubscription) Changes() string { return Subscriptions.Noun + "/" + r.Subscription }

// Reasons of subscriptions.
var (
	ErrSubscriptionEnded = fault.New(fault.Refused, "exchange.subscription_ended", "the subscription has ended; request the record anew and subscribe to that").On("request.subscription", "not:"+Ended)
	ErrNothingChanged    = fault.New(fault.Refused, "exchange.nothing_changed", "announce a state that is not the one announced last").On("request.state", "not:state")
)

// Validate implements kernel.Validator.
func (r StartSubscription) Validate() error { return CheckIdentifier("use", r.Use) }

// Start makes a subscription to what a use delivered. Guards, in order:
//
//	access.other_agency          the caller's agency is not the use's consumer
//	exchange.not_delivered       no record has been delivered for the use
//	exchange.already_purged      the consumer has given the record up
//	exchange.dataset_withdrawn   the dataset is not in the directory any more
//	exchange.field_unknown       a field is not given any more
//	exchange.grant_withdrawn     the grant does not stand any more, with the reason it has for that
//	exchange.consent_required    the terms or the dataset ask for consent now and the use has none
//	exchange.consent_revoked     the consent does not hold any more, with the reason it has for that
func (r StartSubscription) Start(by access.Caller, u Use, b Basis, now kernel.Moment) (s Subscription, event kernel.Change, err error) {
	if err := by.Own(u.Consumer); err != nil {
		return s, event, err
	}
	if u.Delivery == "" || u.Claims != "" { // verdicts are of the moment they were asked for
		return s, event, ErrNotDelivered
	}
	if u.Purged != "" {
		return s, event, ErrAlreadyPurged
	}
	s = Subscription{
		Head:    state.Head{ID: u.ID, Status: Requested},
		Subject: u.Subject, Dataset: u.Dataset, Fields: u.Fields, Provider: u.Provider, Consumer: u.Consumer, Purpose: u.Purpose, Case: u.Case,
		Grant: u.Grant, Consent: u.Consent, Selector: u.Selector,
	}
	if err := s.Rests(b, now); err != nil {
		f := fault.From(err)
		return s, event, f.On("request.use", f.Rule)
	}
	return s, s.change(EventSubscriptionStarted, s.Provider), nil
}

// Rests says whether what the subscription rests on holds: nil, or why not.
func (s Subscription) Rests(b Basis, now kernel.Moment) error {
	return b.holds("request.subscription", s.Purpose, s.Fields, ModeFetch, now)
}

// Validate implements kernel.Validator.
func (r AnnounceChange) Validate() error {
	if err := CheckIdentifier("subscription", r.Subscription); err != nil || r.State == "" {
		return err
	}
	return commitment.Check("state", r.State)
}

// Announce records what a record has become. Guards, in order:
//
//	access.other_agency            the caller's agency is not the provider
//	exchange.subscription_ended    it has ended
//	exchange.dataset_withdrawn     what it rests on does not hold, as for Start: nobody is told any more
//	exchange.nothing_changed       this was announced last
func (s Subscription) Announce(by access.Caller, r AnnounceChange, b Basis, now kernel.Moment) (Subscription, kernel.Change, error) {
	var none kernel.Change
	if err := by.Own(s.Provider); err != nil {
		return s, none, err
	}
	if s.Status == Ended {
		return s, none, ErrSubscriptionEnded
	}
	if err := s.Rests(b, now); err != nil {
		return s, none, err
	}
	event := EventSubscriptionAnnounced
	if s.Status == Requested && r.State != "" {
		event = EventSubscriptionWatched
	} else {
		if s.Status != Requested && r.State == s.State {
			return s, none, ErrNothingChanged
		}
		s.Changes++
	}
	if s.State, s.Status = r.State, Watched; r.State == "" {
		s.Status = Gone
	}
	return s, s.change(event, s.Consumer), nil
}

// Validate implements kernel.Validator.
func (r EndSubscription) Validate() error {
	return cmp.Or(CheckIdentifier("subscription", r.Subscription), CheckCode("reason", r.Reason))
}

// End ends a subscription. Guards, in order:
//
//	access.other_agency           the caller's agency is neither consumer nor provider
//	exchange.subscription_ended   it has ended
func (s Subscription) End(by access.Caller, r EndSubscription) (Subscription, kernel.Change, error) {
	tell := s.Provider
	if by.Agency == s.Provider {
		tell = s.Consumer
	} else if err := by.Own(s.Consumer); err != nil {
		return s, kernel.Change{}, err
	}
	if s.Status == Ended {
		return s, kernel.Change{}, ErrSubscriptionEnded
	}
	s.Status, s.Reason = Ended, r.Reason
	return s, s.change(EventSubscriptionEnded, tell), nil
}

// change announces to one of the two, and to the subject. The case's other agencies have no part in it.
func (s Subscription) change(event, tell string) kernel.Change {
	return kernel.Change{Type: event, ID: s.ID, Subject: s.Subject, Agency: tell}
}
