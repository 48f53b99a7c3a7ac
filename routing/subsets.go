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

// Subset is a subset of a DestinationRule: the pods that have all of the labels.
type Subset struct {
	Name   string
	Labels map[string]string
}

// SubsetsConfig configures Subsets.
type SubsetsConfig struct {
	// Client must be a client for Namespace. The DestinationRule must exist. Subsets
	// never creates it, because a new DestinationRule could switch off mutual TLS.
	Client    Client[networking.DestinationRule]
	Namespace string
	Name      string
	// Subsets are the subsets that the arms of the rollout name.
	Subsets []Subset
	// Settle is how long all proxies take to receive a new subset, counted from when it
	// was added. Until then Ensure answers Wait. Zero means that Ensure does not wait.
	Settle time.Duration
}

// Subsets is a [canary.Prerequisite] that provides subsets in one DestinationRule. Ensure
// adds the missing subsets, and Cleanup removes those that Ensure added. Everything else
// in the object is left alone, including a subset that a user wrote or has changed.
//
// While added subsets exist, the SubsetsAnnotation records which ones, when they were
// added, and for which rollout. The first Ensure of a rollout takes over the added
// subsets of an earlier rollout, so that a late Cleanup of that rollout does not remove
// them. Before each write, Ensure calls Question.Current, so that a driver that is late
// adds nothing after the end of its rollout. If the Router reads from a cache, Current
// can be as old as the cache. Ensure writes nothing if there is nothing to add or to take
// over. A DestinationRule supports one rollout at a time.
//
// Subsets is safe for concurrent use if its Client is. It reads the time from time.Now.
type Subsets struct{ c SubsetsConfig }

var _ canary.Prerequisite = (*Subsets)(nil)

var destinationRules = Kind{"DestinationRule", "networking.istio.io", "destinationrules"}

// NewSubsets returns the Prerequisite, or an error with every mistake in c. It keeps the
// Client, and copies the rest of c.
func NewSubsets(c SubsetsConfig) (*Subsets, error) {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("client is missing"))
	}
	if c.Namespace == "" || c.Name == "" {
		errs = append(errs, errors.New("namespace or name is missing"))
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("settle is %v; want 0 or more", c.Settle))
	}
	own := make([]Subset, len(c.Subsets))
	for i, s := range c.Subsets {
		if s.Name == "" || len(s.Labels) == 0 {
			errs = append(errs, fmt.Errorf("subset %d: name or labels are missing", i))
		}
		if slices.ContainsFunc(own[:i], func(o Subset) bool { return o.Name == s.Name }) {
			errs = append(errs, fmt.Errorf("subset %d: %q is listed twice", i, s.Name))
		}
		own[i] = Subset{s.Name, maps.Clone(s.Labels)}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("routing: subsets of DestinationRule %s/%s: %w", c.Namespace, c.Name, err)
	}
	c.Subsets = own
	return &Subsets{c}, nil
}

// Ensure implements [canary.Prerequisite]. It answers Yes at once if q.Traffic is zero,
// that is stable only. It returns ErrForeignSubset if a subset of the same name has other
// labels, and a canary.FencedError if q.Fence is not newer than the recorded one (see
// [canary.Fence.After]).
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
		return canary.Wait.Because("the new subsets of DestinationRule %s/%s need until %s to reach all proxies",
			s.c.Namespace, s.c.Name, settled.Format(time.TimeOnly)), nil
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

var _ canary.Checker = (*Subsets)(nil)

// Check implements [canary.Checker]. It reports a DestinationRule that does not exist, and a
// subset that has other labels. It writes nothing.
func (s *Subsets) Check(ctx context.Context, _ canary.Plan) ([]canary.Finding, error) {
	rule, err := s.c.Client.Get(ctx, s.c.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return []canary.Finding{{Problem: fmt.Sprintf("DestinationRule %s/%s does not exist; create it, or correct its name or the namespace of the client", s.c.Namespace, s.c.Name), Refuses: true}}, nil
	} else if err != nil {
		return nil, s.wrap(err)
	}
	if _, err := s.missing(rule); err != nil {
		return []canary.Finding{{Problem: s.wrap(err).Error(), Refuses: true}}, nil
	}
	return nil, nil
}

// add writes the missing subsets, unless Question.Current says that the driver is late.
func (s *Subsets) add(ctx context.Context, q canary.Question, rule *networking.DestinationRule, missing []Subset, m mark) error {
	if q.Current != nil {
		if err := q.Current(ctx); err != nil {
			return err
		}
	}
	_, err := send(ctx, s.c.Client, rule, addSubsets(rule, missing, m))
	return err
}

// Cleanup implements [canary.Prerequisite]. If there is no SubsetsAnnotation, but a late
// Ensure could still add a subset, Cleanup writes the annotation and removes it again.
// Then an Ensure that has already read the object gets a conflict. Cleanup returns a
// canary.FencedError as Ensure does.
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
		return nil // the subsets are gone too
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

// mayAdd reports whether a late Ensure would add a subset.
func (s *Subsets) mayAdd(rule *networking.DestinationRule) bool {
	missing, err := s.missing(rule)
	return err == nil && len(missing) > 0
}

// get reads the object and its mark. It returns a canary.FencedError if f is not newer
// than the Fence in the mark.
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

// missing returns the subsets that the object lacks.
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
