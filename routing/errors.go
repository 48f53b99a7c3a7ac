package routing

import (
	"fmt"

	"github.com/serin-go/serin/canary"
)

// Errors about an object, wrapped with its kind, namespace and name. They all wrap
// canary.ErrRefused too, because a retry cannot help.
var (
	// ErrNoRule is returned when the VirtualService lacks a rule of Target.Rules.
	ErrNoRule error = &refusal{"no such rule"}
	// ErrAmbiguousRule is returned when more than one rule fits an entry of Target.Rules,
	// or one rule fits two entries.
	ErrAmbiguousRule error = &refusal{"more than one rule fits"}
	// ErrNotRouting is returned when the rule has a redirect, a directResponse or a
	// delegate instead of destinations.
	ErrNotRouting error = &refusal{"the rule does not route"}
	// ErrNoStable is returned when a rule of Target.Rules has no stable destination. If
	// Target.Rules is empty, it means that no rule at all leads to stable.
	ErrNoStable error = &refusal{"stable destination not in the rule"}
	// ErrTwice is returned when the rule lists a destination of the rollout more than
	// once.
	ErrTwice error = &refusal{"destination listed more than once"}
	// ErrNoShare is returned when the rule sends all requests to destinations outside of
	// the rollout, so that there is no weight to divide.
	ErrNoShare error = &refusal{"stable, canary and baseline have no share of the traffic"}
	// ErrDelegate is returned when header routes, or a mirror of some methods only, are
	// asked of a delegate VirtualService. Both need derived rules with additional
	// conditions. Istio merges the rules of a delegate with those of its root, and drops
	// a rule if both match on the same thing. A delegate supports a mirror of all
	// requests (mirror.Every).
	ErrDelegate error = &refusal{"a delegate VirtualService supports no header routes, and only mirror.Every as a mirror: Istio drops a delegate's rule that matches on the same thing as its root"}
	// ErrShared is returned when header routes, or a mirror of some methods only, are
	// asked of a rule that matches everything at a gateway. Other VirtualServices may
	// have rules for the same hosts there. See Target.Exclusive.
	ErrShared error = &refusal{"a rule that matches everything at a gateway supports no header routes, and only mirror.Every as a mirror: the derived rules would take requests from other VirtualServices for the same hosts; if there are none, set Target.Exclusive"}
	// ErrForeignMirror is returned when the rule has a single mirror, and that mirror
	// leads to another destination than the canary.
	ErrForeignMirror error = &refusal{"the rule mirrors to another destination"}
	// ErrTooLarge is returned when the smallest exact weights do not fit into an int32.
	ErrTooLarge error = &refusal{"the exact weights are too large for an int32"}
	// ErrManyRules is returned when the original weights of the steered rules need an
	// annotation of more than 64 KiB.
	ErrManyRules error = &refusal{"too many rules are steered at once"}
	// ErrForeignSubset is returned when the DestinationRule has a subset of the same name
	// with other labels.
	ErrForeignSubset error = &refusal{"subset has other labels"}
	// ErrNoMethod is returned when a steered rule matches none of the methods to mirror.
	ErrNoMethod error = &refusal{"the rule matches none of the methods to mirror"}
	// ErrHeaderTaken is returned when header routes are asked of a rule that already
	// matches on Target.Header.
	ErrHeaderTaken error = &refusal{"the rule already matches on the header of the header routes"}
	// ErrTaken is returned when the rollout of another target steers the rule.
	ErrTaken error = &refusal{"another rollout steers the rule"}
	// ErrForeignReading is returned by Write when the Reading does not come from this
	// Router.
	ErrForeignReading error = &refusal{"the reading comes from another router"}
)

// refusal is a sentinel error that wraps canary.ErrRefused without repeating its text.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return canary.ErrRefused }

// UnsupportedError is returned when the target cannot serve a field of canary.Traffic. It
// wraps canary.ErrRefused.
type UnsupportedError struct {
	Field  string // name of the field in canary.Traffic
	Reason string
}

// Error prints the field and the reason.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("traffic.%s: %s", e.Field, e.Reason)
}

// Unwrap returns canary.ErrRefused.
func (e *UnsupportedError) Unwrap() error { return canary.ErrRefused }
