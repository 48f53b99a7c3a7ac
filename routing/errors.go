package routing

import (
	"fmt"

	"github.com/serin-go/serin/canary"
)

// Errors about the object, wrapped with its kind, namespace and name. Trying
// again cannot mend them, so all of them also wrap canary.ErrRefused.
var (
	// ErrNoRule: the VirtualService has no http rule of that name.
	ErrNoRule error = &refusal{"no such rule"}
	// ErrAmbiguousRule: more than one rule fits the target.
	ErrAmbiguousRule error = &refusal{"more than one rule fits"}
	// ErrNotRouting: the rule has a redirect, a directResponse or a delegate in
	// place of destinations.
	ErrNotRouting error = &refusal{"the rule does not route"}
	// ErrNoStable: the rule, or none of the rules, has the stable destination.
	ErrNoStable error = &refusal{"stable destination not in the rule"}
	// ErrTwice: the rule lists a destination of the rollout more than once.
	ErrTwice error = &refusal{"destination listed more than once"}
	// ErrNoShare: the rule sends everything to destinations that are not of the
	// rollout, so there is nothing to divide.
	ErrNoShare error = &refusal{"stable and canary have no part of the traffic"}
	// ErrDelegate: the object is a delegate, whose rules Istio merges with those of a
	// root, and drops where both match on the same things. So it gets no rules that
	// match on more: no header routes, and copies of all requests only.
	ErrDelegate error = &refusal{"a delegate gets no header routes, and no copies but of every method: its root may match on the same, and Istio drops such rules then"}
	// ErrShared: a rule matches everything at a gateway, where other VirtualServices may
	// have rules for the same hosts.
	ErrShared error = &refusal{"a rule that matches everything at a gateway gets no header routes, and no copies but of every method, as they would come before the rules of other VirtualServices for its hosts; if there are none, set Target.Exclusive"}
	// ErrForeignMirror: somebody else's mirror is in the place of ours.
	ErrForeignMirror error = &refusal{"the rule mirrors to somewhere else"}
	// ErrTooLarge: the smallest exact weights do not fit into an int32.
	ErrTooLarge error = &refusal{"exact weights are too large"}
	// ErrManyRules: what the steered rules were before is more than an annotation can
	// keep.
	ErrManyRules error = &refusal{"too many rules are steered at once"}
	// ErrForeignSubset: a subset of that name selects other pods.
	ErrForeignSubset error = &refusal{"subset has other labels"}
	// ErrNoMethod: a rule to steer matches none of the methods to mirror.
	ErrNoMethod error = &refusal{"the rule matches none of the methods to mirror"}
	// ErrHeaderTaken: a rule to steer matches on the header of the header routes already.
	ErrHeaderTaken error = &refusal{"the rule matches on the header by which a version is chosen; give another Target.Header"}
	// ErrTaken: the rollout of another target steers the rule.
	ErrTaken error = &refusal{"another rollout steers it"}
	// ErrForeignReading: the Reading was not taken by this Router.
	ErrForeignReading error = &refusal{"reading of another router"}
)

// refusal is a sentinel that wraps canary.ErrRefused without repeating it.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return canary.ErrRefused }

// UnsupportedError says that a field of canary.Traffic was asked for that the
// target cannot serve. It wraps canary.ErrRefused.
type UnsupportedError struct {
	Field  string // as canary.Traffic names it
	Reason string
}

// Error names the field and the reason.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("traffic.%s: %s", e.Field, e.Reason)
}

// Unwrap returns canary.ErrRefused.
func (e *UnsupportedError) Unwrap() error { return canary.ErrRefused }
