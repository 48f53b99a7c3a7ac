package canary

import (
	"cmp"
	"context"
	"errors"

	"github.com/serin-go/serin/metrics"
)

// Reading is one consistent reading of the Router's object.
type Reading struct {
	// Traffic is what the object tells the mesh to do now.
	Traffic Traffic
	// State is what the last Write stored. It is the zero State if there is none.
	State State
	// Object is the UID of the object that keeps the State, or "". A State with another
	// UID was copied from another object.
	Object string
	// Abort is the reason of an Abort that a person ordered with an annotation beside the
	// State. "" is no such order. It is valid even if the State cannot be decoded.
	Abort string
	// Trouble is the error of those parts of the Router that could not be read, if the
	// Router has several. The rest of the Reading is valid: the rollout is judged and can
	// turn back, but it does not go further.
	Trouble error
	// Hosts are the names by which clients ask for the service, for judges: the hosts of the
	// objects and of their destinations, fully qualified. Nil is not known.
	Hosts metrics.Hosts
	// Version identifies the object that was read. Only the Router uses it, in Write.
	Version any
}

// Router sets the traffic and keeps the State of its rollout beside the traffic. It is
// safe for concurrent use, also by several Routers in several processes.
// canarytest.TestRouter checks a Router of your own.
type Router interface {
	// Read reads the object. If the State cannot be decoded, the error wraps ErrBadState
	// and the rest of the Reading is valid. If the object does not exist, the error wraps
	// ErrNotFound.
	Read(ctx context.Context) (Reading, error)
	// Write sets traffic and State in one atomic write, if nobody has written since r was
	// read. It also removes the annotation that r.Abort came from.
	//
	// If somebody has written, Write changes nothing and the error wraps ErrConflict. If
	// a retry cannot succeed (validation failed, the rule does not exist), the error
	// wraps ErrRefused. After any other error the write may or may not have happened, so
	// read again.
	//
	// A Router of several parts writes the part with the State first. Traffic that leads
	// to stable only is written to each part that accepts it, whatever the others answer.
	// If t is r.Traffic and not s.Traffic, the traffic was found and stays as it is, also
	// where the Router cannot express it.
	Write(ctx context.Context, r Reading, t Traffic, s State) error
}

// Errors of a Router, to be wrapped with the object that they are about.
var (
	// ErrConflict: somebody else wrote since the Reading.
	ErrConflict = errors.New("changed by somebody else since it was read")
	// ErrRefused: a retry cannot succeed until a person changes something.
	ErrRefused = errors.New("refused")
	// ErrForbidden is an ErrRefused: a right is missing, or a webhook refuses. An API
	// server that has just started does not know all rights yet, so [Runner.Run] tries
	// again for half a minute.
	ErrForbidden error = early{}
	// ErrNotFound is an ErrRefused: the object does not exist. It may be created a moment
	// later, so [Runner.Run] tries again for half a minute.
	ErrNotFound error = early{"not found"}
	// ErrBadState: the stored State cannot be decoded, or no rollout could have written
	// it.
	ErrBadState = errors.New("the stored State is not valid")
)

// early is an ErrRefused that may come too early to be final.
type early struct{ what string }

func (e early) Error() string { return cmp.Or(e.what, ErrRefused.Error()) }
func (early) Unwrap() error   { return ErrRefused }

func isEarly(err error) bool { return errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotFound) }
