package canary

import (
	"cmp"
	"context"
	"errors"
)

// Reading is what a Router found: one consistent look at one object.
type Reading struct {
	// Traffic is what the object asks the mesh for now.
	Traffic Traffic
	// State is what the last Write stored beside the traffic; the zero State
	// if there is none.
	State State
	// Object is the UID of the object that keeps the State, "" if it has none: a
	// State that was copied to another object is none of that.
	Object string
	// Abort is why a person orders an Abort with an annotation beside the State;
	// "" is no such order. It stands also if the State cannot be understood.
	Abort string
	// Trouble is what of the Router's parts could not be read, if it has several.
	// The Reading is of the others: they are judged by and can be turned back, but
	// nothing goes further while a part is out of reach.
	Trouble error
	// Version is what the Router needs to recognise the object it has read. It
	// means nothing to anybody else and is only handed back to Write.
	Version any
}

// A Router is the one place where traffic is set and where the State of its
// rollout is kept. Any number of goroutines and processes may use Routers for
// the same object at the same time.
//
// canarytest.TestRouter checks a Router of your own.
type Router interface {
	// Read looks at the object. A State that cannot be understood is an error
	// that wraps ErrBadState; the rest of the Reading is good then, so that the
	// State can be replaced.
	Read(ctx context.Context) (Reading, error)
	// Write sets traffic and State in one atomic step, and removes the order that
	// r.Abort is of, if nothing was written since r was read. Otherwise it changes nothing and the error wraps
	// ErrConflict. An error that trying again cannot mend (validation refused
	// the object, the rule to steer is not there) wraps ErrRefused. After any
	// other error the write may or may not have happened: read again. A Router of
	// several parts writes that of the State first. Traffic that is stable only goes
	// to every part that takes it, whatever the others say. Traffic that was found and is
	// not that of s is to be left as it is, whatever it really is.
	Write(ctx context.Context, r Reading, t Traffic, s State) error
}

// Errors of a Router, to be wrapped with the object that they are about.
var (
	// ErrConflict: somebody else wrote since the Reading was taken.
	ErrConflict = errors.New("changed by somebody else since it was read")
	// ErrRefused: trying again cannot help before a person changes something.
	ErrRefused = errors.New("refused")
	// ErrForbidden is an ErrRefused: a right is missing, or a webhook refuses. An API
	// server that has just started does not know all rights yet, so [Runner.Run] tries
	// again for half a minute.
	ErrForbidden error = early{}
	// ErrNotFound is an ErrRefused: the object does not exist. It may be created a moment
	// later, so [Runner.Run] tries again for half a minute.
	ErrNotFound error = early{"not found"}
	// ErrBadState: the stored State cannot be understood.
	ErrBadState = errors.New("stored state cannot be understood")
)

// early is an ErrRefused that may come too early to be final.
type early struct{ what string }

func (e early) Error() string { return cmp.Or(e.what, ErrRefused.Error()) }
func (early) Unwrap() error   { return ErrRefused }

func isEarly(err error) bool { return errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotFound) }
