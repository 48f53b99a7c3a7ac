package traffic

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Caller makes calls. It is safe for concurrent use.
type Caller interface {
	// Call returns the version that answers.
	Call(ctx context.Context) (string, error)
}

// Load is a constant stream of calls. Make one with Start.
type Load struct {
	cancel  context.CancelFunc
	callers sync.WaitGroup

	mu    sync.Mutex
	tally Tally
}

// Tally is what came of calls.
type Tally struct {
	// Sent is how many calls ended, Lost how many of them without an answer.
	Sent, Lost int
	// Worst is how long the slowest call took.
	Worst time.Duration
	// By counts the answers of each version.
	By map[string]int
	// Errors counts the lost calls by what they were told.
	Errors map[string]int
}

// String says it in a line.
func (t Tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls", t.Sent)
	for _, version := range slices.Sorted(maps.Keys(t.By)) {
		fmt.Fprintf(&b, ", %d to %s", t.By[version], version)
	}
	fmt.Fprintf(&b, ", %d lost, %v at worst", t.Lost, t.Worst.Round(time.Millisecond))
	for _, text := range slices.Sorted(maps.Keys(t.Errors)) {
		fmt.Fprintf(&b, "\n%6d: %s", t.Errors[text], text)
	}
	return b.String()
}

// Start begins to call, so many times a second. A call that takes longer than
// two seconds is lost.
func Start(c Caller, perSecond int) *Load {
	const callers = 4
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{cancel: cancel, tally: Tally{By: map[string]int{}, Errors: map[string]int{}}}
	for range callers {
		l.callers.Go(func() { l.call(ctx, c, callers*time.Second/time.Duration(perSecond)) })
	}
	return l
}

func (l *Load) call(ctx context.Context, c Caller, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			begin := time.Now()
			version, err := Once(c)
			l.count(version, err, time.Since(begin))
		}
	}
}

// Once makes one call, which may take two seconds.
func Once(c Caller) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Call(ctx)
}

func (l *Load) count(version string, err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.Sent++
	l.tally.Worst = max(l.tally.Worst, took)
	if err != nil {
		l.tally.Lost++
		l.tally.Errors[err.Error()]++
		return
	}
	l.tally.By[version]++
}

// Stop ends the stream when the calls under way have ended, and returns what
// came of all.
func (l *Load) Stop() Tally {
	l.cancel()
	l.callers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally
}
