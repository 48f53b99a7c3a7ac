package routing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

// Subset names the pods of a service that have all of the labels.
type Subset struct {
	Name   string
	Labels map[string]string
}

// SubsetsConfig is what Subsets is made of.
type SubsetsConfig struct {
	// Client is one for Namespace. The DestinationRule must exist: a new one
	// could switch off mutual TLS.
	Client    Client[networking.DestinationRule]
	Namespace string
	Name      string
	// Subsets are those that the arms of the rollout name.
	Subsets []Subset
	// Settle is how long a new subset takes until all proxies know it, counted
	// from when it was added. The zero value is not at all.
	Settle time.Duration
}

// Subsets is a [canary.Prerequisite] of subsets in one DestinationRule. Ensure
// adds those that are missing, Cleanup removes those that Ensure added. All else in the
// object is left alone, also a subset that the user wrote, or has changed since.
//
// What was added, when, and for which rollout is kept in the annotation
// SubsetsAnnotation, as long as it is there. The first Ensure of a rollout takes over
// what an earlier one left, so that a late Cleanup of that one does not take it away.
// A driver that slept through the end of the rollout adds nothing: before it writes
// it asks Question.Current, which is as good as what the Router reads: a cache may be
// behind. Nothing is written while there is nothing to add or to
// take over. A DestinationRule takes part in one rollout at a time.
//
// Concurrent use is safe if it is safe for the Client. The time is time.Now.
type Subsets struct{ c SubsetsConfig }

var _ canary.Prerequisite = (*Subsets)(nil)

var destinationRules = Kind{"DestinationRule", "networking.istio.io", "destinationrules"}

// NewSubsets returns the Prerequisite, or every mistake in c.
func NewSubsets(c SubsetsConfig) (*Subsets, error) {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("client is missing"))
	}
	if c.Namespace == "" || c.Name == "" {
		errs = append(errs, errors.New("namespace or name is missing"))
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("settle is %v", c.Settle))
	}
	own := make([]Subset, len(c.Subsets))
	for i, s := range c.Subsets {
		if s.Name == "" || len(s.Labels) == 0 {
			errs = append(errs, fmt.Errorf("subset %d: name or labels are missing", i))
		}
		if slices.ContainsFunc(own[:i], func(o Subset) bool { return o.Name == s.Name }) {
			errs = append(errs, fmt.Errorf("subset %d: %q is named twice", i, s.Name))
		}
		own[i] = Subset{s.Name, maps.Clone(s.Labels)}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("routing: subsets of DestinationRule %s/%s: %w", c.Namespace, c.Name, err)
	}
	c.Subsets = own
	return &Subsets{c}, nil
}

// Ensure implements [canary.Prerequisite]. Traffic that is stable only needs
// nothing. A subset of the same name with other labels is ErrForeignSubset.
func (s *Subsets) Ensure(ctx context.Context, q canary.Question) (canary.Answer, error) {
	if q.Traffic == (canary.Traffic{}) {
		return canary.Answer{Reply: canary.Yes}, nil
	}
	a, err := s.ensure(ctx, q)
	return a, s.wrap(err)
}

func (s *Subsets) ensure(ctx context.Context, q canary.Question) (canary.Answer, error) {
	f := q.Fence
	rule, mark, err := s.get(ctx, f)
	if err != nil {
		return canary.Answer{}, err
	}
	missing, err := s.missing(rule)
	if err != nil {
		return canary.Answer{}, err
	}
	now := time.Now()
	if len(missing) > 0 || len(mark.Added) > 0 && mark.Rollout != f.Rollout {
		mark = mark.with(missing, f, now)
		if err := s.add(ctx, q, rule, missing, mark); err != nil {
			return canary.Answer{}, err
		}
	}
	if settled := mark.At.Add(s.c.Settle); !mark.At.IsZero() && now.Before(settled) {
		return canary.Wait.Because("the subsets of DestinationRule %s/%s settle until %s",
			s.c.Namespace, s.c.Name, settled.Format(time.TimeOnly)), nil
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

// add writes the subsets that are missing, if the driver is not late.
func (s *Subsets) add(ctx context.Context, q canary.Question, rule *networking.DestinationRule, missing []Subset, m mark) error {
	if q.Current != nil {
		if err := q.Current(ctx); err != nil {
			return err
		}
	}
	_, err := send(ctx, s.c.Client, rule, addSubsets(rule, missing, m))
	return err
}

// Cleanup implements [canary.Prerequisite]. Where Ensure added nothing, but could
// have, the annotation is written and removed again: an Ensure that has read the object
// already finds it changed then.
func (s *Subsets) Cleanup(ctx context.Context, q canary.Question) (canary.Answer, error) {
	if err := s.cleanup(ctx, q.Fence); err != nil {
		return canary.Answer{}, s.wrap(err)
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

func (s *Subsets) cleanup(ctx context.Context, f canary.Fence) error {
	rule, m, err := s.get(ctx, f)
	switch {
	case apierrors.IsNotFound(err):
		return nil // and the subsets with it
	case err != nil:
		return err
	}
	if _, marked := rule.Annotations[SubsetsAnnotation]; !marked && !s.mayAdd(rule) {
		return nil
	} else if !marked {
		if rule, err = send(ctx, s.c.Client, rule, addSubsets(rule, nil, mark{Fence: f})); err != nil {
			return err
		}
	}
	_, err = send(ctx, s.c.Client, rule, removeSubsets(rule, m))
	return err
}

// mayAdd reports whether an Ensure that comes late would add something.
func (s *Subsets) mayAdd(rule *networking.DestinationRule) bool {
	missing, err := s.missing(rule)
	return err == nil && len(missing) > 0
}

// get reads the object and what is remembered there, and refuses a Fence that
// does not come after that.
func (s *Subsets) get(ctx context.Context, f canary.Fence) (*networking.DestinationRule, mark, error) {
	rule, err := s.c.Client.Get(ctx, s.c.Name, metav1.GetOptions{})
	if err != nil {
		return nil, mark{}, err
	}
	m, err := readMark(rule.Annotations, SubsetsAnnotation)
	if err == nil {
		err = f.After(m.Fence)
	}
	return rule, m, err
}

// missing returns the subsets that the object does not have.
func (s *Subsets) missing(rule *networking.DestinationRule) ([]Subset, error) {
	var missing []Subset
	for _, want := range s.c.Subsets {
		i := slices.IndexFunc(rule.Spec.Subsets, func(is *api.Subset) bool { return is.GetName() == want.Name })
		if i < 0 {
			missing = append(missing, want)
		} else if is := rule.Spec.Subsets[i].GetLabels(); !maps.Equal(is, want.Labels) {
			return nil, fmt.Errorf("subset %q: %w: %v, want %v", want.Name, ErrForeignSubset, is, want.Labels)
		}
	}
	return missing, nil
}

func (s *Subsets) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("routing: DestinationRule %s/%s: %w", s.c.Namespace, s.c.Name, err)
}
