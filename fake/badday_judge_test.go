package fake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/metrics"
)

const (
	badLook   = 30 * time.Second // two scrapes
	badMargin = 0.05             // by which the canary's share of bad requests may exceed stable's
	badFew    = 20               // requests that the canary must have for a verdict
	badSlow   = time.Second      // a request that takes longer is bad
)

// badStore is the metric store of a bad day. It can be away in four ways.
type badStore struct {
	*fake.Mesh

	mu   sync.Mutex
	away string // "", "hangs", "errs", "is empty", "flaps"
}

func (s *badStore) set(away string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *badStore) Counts(ctx context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	if err := s.fails(ctx); err != nil {
		return metrics.Counts{}, err
	}
	return s.Mesh.Counts(ctx, q, w)
}

func (s *badStore) Proxies(ctx context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	return s.Mesh.Proxies(ctx, q, w)
}

func (s *badStore) Refusals(ctx context.Context, w metrics.Window) ([]metrics.Refusal, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	return s.Mesh.Refusals(ctx, w)
}

func (s *badStore) Sequence(ctx context.Context, q metrics.Query, w []metrics.Window) ([]metrics.Counts, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	return s.Mesh.Sequence(ctx, q, w)
}

func (s *badStore) SlowerThan(ctx context.Context, q metrics.Query, bounds []time.Duration, w []metrics.Window) ([][]metrics.Counts, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	return s.Mesh.SlowerThan(ctx, q, bounds, w)
}

func (s *badStore) Reach(ctx context.Context, hosts metrics.Hosts, arms []metrics.Arm, w []metrics.Window) ([]metrics.Reached, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	return s.Mesh.Reach(ctx, hosts, arms, w)
}

// fails returns the error of a store that is away.
func (s *badStore) fails(ctx context.Context) error {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away == "flaps" && time.Now().Unix()/10%2 == 0 { // for every other turn
		away = "errs"
	}
	switch away {
	case "hangs":
		<-ctx.Done()
		return fmt.Errorf("%w: %w", metrics.ErrUnavailable, ctx.Err())
	case "errs":
		return metrics.ErrUnavailable
	case "is empty":
		return metrics.ErrNoSeries
	}
	return nil
}

// badLooker is a judge with looks.
type badLooker interface {
	analysis.Analyzer
	analysis.Looker
}

// judge is the library's judge with its defaults, or the script.
func (w *badWorld) judge() badLooker {
	if w.judged {
		return sequential.Judge{Provider: w.store, Canary: reviewsV2, Baseline: reviewsV1}
	}
	return badJudge{w.store}
}

// badJudge fails the canary when its share of bad requests in the last look exceeds
// stable's by a margin. It has no statistics: what is tried here is the engine.
type badJudge struct{ store *badStore }

var _ analysis.Looker = badJudge{}

func (badJudge) Look() time.Duration { return badLook }

func (j badJudge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	w := r.Window
	if w.Length() < badLook {
		return analysis.Result{Blindness: analysis.FewRequests, Reason: "the first look is not over"}, nil
	}
	w.From = w.To.Add(-badLook)
	by := metrics.Source
	switch {
	case r.Promoted:
		return j.promoted(ctx, w)
	case r.Mirrored:
		by = metrics.Destination
	}
	canary, bad, err := j.bad(ctx, metrics.Query{Arm: reviewsV2, Reporter: by}, w)
	switch {
	case metrics.NoData(err), err == nil && canary < badFew:
		return analysis.Result{Blindness: analysis.NoReadings, Reason: "the canary has no readings"}, nil
	case err != nil:
		return analysis.Result{}, err
	}
	stable, normal, err := j.bad(ctx, metrics.Query{Arm: reviewsV1}, w)
	if err != nil && !metrics.NoData(err) {
		return analysis.Result{}, err
	}
	reason := fmt.Sprintf("%.0f %% of %.0f are bad, and %.0f %% of stable's %.0f", 100*bad, canary, 100*normal, stable)
	if bad > normal+badMargin {
		return analysis.Result{Verdict: analysis.Fail, Reason: reason}, nil
	}
	return analysis.Result{Verdict: analysis.Pass, Reason: reason}, nil
}

// promoted judges the new version as stable, by itself.
func (j badJudge) promoted(ctx context.Context, w metrics.Window) (analysis.Result, error) {
	total, bad, err := j.bad(ctx, metrics.Query{Arm: reviewsV1}, w)
	switch reason := fmt.Sprintf("%.0f %% of stable's %.0f are bad", 100*bad, total); {
	case err != nil:
		return analysis.Result{}, err
	case bad > badMargin:
		return analysis.Result{Verdict: analysis.Fail, Reason: reason}, nil
	default:
		return analysis.Result{Verdict: analysis.Pass, Reason: reason}, nil
	}
}

// bad returns how many requests an arm had, and the share of them that was refused, failed
// or slow. An arm without requests has no bad ones.
func (j badJudge) bad(ctx context.Context, q metrics.Query, w metrics.Window) (total, share float64, err error) {
	for _, signal := range []metrics.Signal{metrics.HTTPStatus(400, 599), metrics.SlowerThan(badSlow)} {
		q.Signal = signal
		c, e := j.store.Counts(ctx, q, w)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		total, share = c.Total, max(share, c.Ratio())
	}
	return total, share, err
}
