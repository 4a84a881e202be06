package sinks

import (
	"context"
	"time"
)

// Right is what a data subject asks for (chapter III GDPR).
type Right string

// The rights.
const (
	RightAccess        Right = "access"        // Article 15
	RightRectification Right = "rectification" // Article 16
	RightErasure       Right = "erasure"       // Article 17
	RightRestriction   Right = "restriction"   // Article 18
	RightPortability   Right = "portability"   // Article 20
	RightObjection     Right = "objection"     // Article 21
	RightExplanation   Right = "explanation"   // Article 22: automated decisions
	RightWithdrawal    Right = "withdrawal"    // Article 7(3)
)

// Rights are all rights.
var Rights = []Right{RightAccess, RightRectification, RightErasure, RightRestriction, RightPortability, RightObjection, RightExplanation, RightWithdrawal}

// RequestEvent is what happened to a request.
type RequestEvent string

// The events, in the order in which they count if two have the same time.
const (
	RequestReceived  RequestEvent = "received"
	RequestPending   RequestEvent = "identity_pending" // the clock stands still
	RequestAccepted  RequestEvent = "accepted"
	RequestExtended  RequestEvent = "extended" // the state stays what it was
	RequestExecuting RequestEvent = "executing"
	RequestRefused   RequestEvent = "refused"
	RequestCancelled RequestEvent = "cancelled"
	RequestDone      RequestEvent = "done"
)

// RequestEvents are all events, in that order.
var RequestEvents = []RequestEvent{
	RequestReceived, RequestPending, RequestAccepted, RequestExtended, RequestExecuting, RequestRefused, RequestCancelled, RequestDone,
}

// RequestNote is a line of a request's history.
type RequestNote struct {
	Request ID           `json:"request"`
	Event   RequestEvent `json:"event"`
	At      time.Time    `json:"at"`               // UTC, to the millisecond
	Reason  string       `json:"reason,omitempty"` // a code of a refusal; why an extension
	Clause  string       `json:"clause,omitempty"` // of a refusal
	By      string       `json:"by"`
	Until   time.Time    `json:"until,omitzero"` // of an extension: the new end of the time for the answer
}

// Request is what a data subject has asked for. Who it is, only the register's
// identifiers tell, and no longer than the request is open.
type Request struct {
	ID       ID            `json:"request"`
	Right    Right         `json:"right"`
	Received time.Time     `json:"received"`
	History  []RequestNote `json:"history"` // the earliest first
}

// State returns what has become of the request.
func (r *Request) State() RequestEvent {
	for i := len(r.History) - 1; i >= 0; i-- {
		if e := r.History[i].Event; e != RequestExtended {
			return e
		}
	}
	return RequestReceived
}

// Open reports whether the request still has to be answered.
func (r *Request) Open() bool {
	switch r.State() {
	case RequestRefused, RequestCancelled, RequestDone:
		return false
	}
	return true
}

// Since returns when the request came into its state.
func (r *Request) Since() time.Time {
	for i := len(r.History) - 1; i >= 0; i-- {
		if r.History[i].Event != RequestExtended {
			return r.History[i].At
		}
	}
	return r.Received
}

// Identifier is a text by which a person is known, with the column in which it stands.
type Identifier struct {
	Column string `json:"column"`
	Text   string `json:"text"`
}

// Person is whom a request is about. An organisation that is to be erased is one, too,
// with those who are known by it alone.
type Person struct {
	ID          ID // of the request
	Identifiers []Identifier
	Terms       []Term    // what the request asks for in particular
	Until       time.Time // of the last event that counts; zero: all
}

// Term is what a request asks for in particular. It may be about the person, and is
// forgotten with the identifiers.
type Term struct{ Name, Value string }

// The names of terms. That of a value which is to be put right is TermSet with the column
// behind it.
const (
	TermSet       = "set." // rectification
	TermCategory  = "category"
	TermRecipient = "recipient" // the key that a copy is encrypted to
)

// TermsOf returns the values of the person's terms of a name.
func (p *Person) TermsOf(name string) (values []string) {
	for _, t := range p.Terms {
		if t.Name == name {
			values = append(values, t.Value)
		}
	}
	return values
}

// RequestRegister remembers what data subjects have asked for, with all that became of
// it. Storing the same again has no effect.
type RequestRegister interface {
	// PutRequests stores requests, with whom they are about, and their histories.
	PutRequests(ctx context.Context, requests []Request, people []Person) error
	// NoteRequests adds to histories.
	NoteRequests(ctx context.Context, notes []RequestNote) error
	// Requests returns all requests, or one, the earliest first.
	Requests(ctx context.Context, id ID) ([]Request, error)
	// PeopleOf returns whom requests are about, identifiers and terms always in the same
	// order. Those of whom the identifiers were forgotten are missing.
	PeopleOf(ctx context.Context, requests []ID) ([]Person, error)
	// ForgetPeople deletes the identifiers and terms of requests and returns what is left of them.
	ForgetPeople(ctx context.Context, requests []ID) (Absence, error)
}

// Tie says that two identifiers stand together in a record.
type Tie struct{ Stronger, Weaker Identifier }

// People are those whose rows are looked for: persons by their identifiers or, if there
// are keys, everybody in the erasure ledger, by the hashes that the keys make.
type People struct {
	Persons []Person
	Erased  []LedgerKey
}

// PeopleRows counts rows of people in a partition.
type PeopleRows struct {
	Dataset   string
	Partition *Partition // nil: the dataset is not divided
	Rows      uint64     // that are not under a legal hold
	Held      uint64     // that are
	People    uint64     // of whom there are rows that are not held
}

// PersonRows counts rows of one person in a dataset.
type PersonRows struct {
	Person     ID
	Dataset    string
	Rows, Held uint64
	Last       time.Time // of their events
}

// PeopleTables find and erase the rows of many people at once, in all datasets and in
// the quarantine. Identifiers travel in tables and never in the text of a statement;
// they are gone again when a method returns. All methods may be repeated and run beside
// themselves.
type PeopleTables interface {
	// Ties returns the ties of identifiers in all datasets, those to organisations if they
	// are asked for.
	Ties(ctx context.Context, of []Identifier, organisations bool) ([]Tie, error)
	// Resolve returns the subjects' identifiers that stand beside others, such as an
	// address, for each of those.
	Resolve(ctx context.Context, of []Identifier) (map[Identifier][]Identifier, error)
	// CountPeople counts the rows of people by partition and by person. Held are those
	// under a hold that is in force at asOf.
	CountPeople(ctx context.Context, people People, asOf time.Time) ([]PeopleRows, []PersonRows, error)
	// ErasePeople deletes the rows of people that are not held from partitions of a
	// dataset, waits until they are physically gone, and returns what was there and what
	// is left of it. Partitions are those of the dataset; none where it is not divided.
	ErasePeople(ctx context.Context, dataset string, partitions []Partition, people People, asOf time.Time) ([]PeopleRows, Absence, error)
}

// TrainingErasure enters the wish to be erased in the training register.
type TrainingErasure interface {
	// EraseFromTraining records that people are to be erased from the training content,
	// at a time. Recording the same again has no effect.
	EraseFromTraining(ctx context.Context, people []Person, at time.Time) error
	// TrainingItemsOf counts the items of people that are in the register, by person.
	TrainingItemsOf(ctx context.Context, people []Person) (map[ID]uint64, error)
}

// Rectification puts right what is held of people (Article 16 GDPR). Values travel
// beside the text of statements. Rows under a legal hold stay as they are.
type Rectification interface {
	// CountUnrectified counts the rows of a person in which a column has another value
	// than it should have; rows without a value in it do not count.
	CountUnrectified(ctx context.Context, dataset string, person Person, values map[string]string, asOf time.Time) (uint64, error)
	// RectifyRows gives those the right value, and returns how many there were and are
	// left.
	RectifyRows(ctx context.Context, dataset string, person Person, values map[string]string, asOf time.Time) (rows, left uint64, err error)
}
