package fake_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var (
	badRuns     = flag.Uint64("fake.badday", 200, "simulated rollouts on a bad day")
	badSeed     = flag.Uint64("fake.seed", 1, "seed of the bad days")
	badOnly     = flag.Int64("fake.only", -1, "the number of the only rollout to run")
	badKindName = flag.String("fake.kind", "", "the only kind of trouble")
	badJudged   = flag.Uint64("fake.judged", 8, "simulated rollouts on a bad day that the library's judge judges")
	badEvents   = flag.Int("fake.events", 8, "how many of the last events a violation shows")
)

// The README's plan and short ones, with one to three troubles at any moment: no rollout
// harms more requests than its settings allow, each ends or says what it waits for, each
// end is told, and the mesh does what the end says.
func TestTheBadDay(t *testing.T) { badDays(t, *badRuns, false) }

// The same with the library's judge, whose looks take longer to find a fault.
func TestTheJudgedBadDay(t *testing.T) { badDays(t, *badJudged, true) }

func badDays(t *testing.T, runs uint64, judged bool) {
	all := make([]badOutcome, runs)
	eachBadRun(t, runs, func(t *testing.T, i uint64) { all[i] = badRun(t, i, judged) })
	all = slices.DeleteFunc(all, func(o badOutcome) bool { return o.scenario.troubles == nil })
	if testing.Verbose() {
		t.Log(badTable(all))
	}
	worst, violations := badSum(all)
	t.Logf("bad day: %d rollouts, worst %.2f of the exposure allowed, %d violations", len(all), worst, violations)
	if violations > 0 {
		t.Fail()
	}
}

// badWorkers is how many rollouts run at a time.
const badWorkers uint64 = 2

// eachBadRun runs n rollouts, or the only one.
func eachBadRun(t *testing.T, n uint64, run func(t *testing.T, i uint64)) {
	t.Run("rollouts", func(t *testing.T) {
		for first := range badWorkers {
			t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
				t.Parallel()
				for i := first; i < n; i += badWorkers {
					if *badOnly < 0 || uint64(*badOnly) == i {
						run(t, i)
					}
				}
			})
		}
	})
}

// badRun runs one rollout, and shows it if something is wrong.
func badRun(t *testing.T, i uint64, judged bool) (o badOutcome) {
	synctest.Test(t, func(t *testing.T) { o = badDay(t, drawBadDay(t, *badSeed, i, judged)) })
	o.number = i
	if len(o.wrong) > 0 && o.notYet == "" || *badOnly >= 0 {
		t.Logf("-fake.seed=%d -fake.only=%d: %v", *badSeed, i, o)
	}
	return o
}

// badTail is for how long the mesh is watched after the end.
const badTail = 10 * time.Minute

// badDay runs one rollout.
func badDay(t *testing.T, s badScenario) badOutcome {
	w := newBadWorld(t, s)
	began := time.Now()
	nap(t.Context(), time.Minute) // the store has readings of stable
	w.crew.start(0)
	go w.crew.sweep(t.Context())
	until := w.patience(s)
	type moment struct {
		at time.Duration
		do func()
	}
	var ahead []moment
	for _, tr := range s.troubles {
		ahead = append(ahead, moment{time.Minute + tr.at, func() {
			if w.over() {
				return
			}
			tr.note(w.crew.newest(w.state()), w.plan)
			heal := tr.kind.begin(w, tr)
			tr.pin(s.troubles)
			if heal != nil && tr.lasts > 0 {
				ahead = append(ahead, moment{time.Since(began) + tr.lasts, heal})
			}
		}})
	}
	for len(ahead) > 0 {
		slices.SortStableFunc(ahead, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
		next := ahead[0]
		if w.await(began.Add(min(next.at, until))); w.over() || next.at >= until {
			break
		}
		ahead = ahead[1:]
		next.do()
	}
	w.settle(began.Add(until), s.patient)
	tail := time.Now().Add(badTail)
	for len(ahead) > 0 && w.over() && began.Add(ahead[0].at).Before(tail) {
		nap(t.Context(), time.Until(began.Add(ahead[0].at)))
		ahead[0].do()
		ahead = ahead[1:]
	}
	nap(t.Context(), time.Until(tail))
	w.ledger.change(func() {})
	return w.outcome(s, time.Since(began))
}

// patience is how long a rollout is watched: until long after its last trouble.
func (w *badWorld) patience(s badScenario) time.Duration {
	until := time.Duration(0)
	for _, tr := range s.troubles {
		until = max(until, tr.at+tr.lasts)
	}
	if s.patient {
		return until + 30*time.Hour
	}
	return until + s.healthy() + time.Hour
}

// settle waits for the end of the rollout, or until it has not moved for half an hour.
func (w *badWorld) settle(until time.Time, patient bool) {
	before, since, written := w.state(), time.Now(), w.written()
	for !w.over() && time.Now().Before(until) && (patient || time.Since(since) < 30*time.Minute) {
		w.await(time.Now().Add(5 * time.Minute))
		now := w.state()
		if now.Phase != before.Phase || now.Step != before.Step || now.Traffic != before.Traffic {
			before, since, written = now, time.Now(), w.written()
		}
		if time.Since(since) == 30*time.Minute {
			w.writes = w.written() - written
		}
	}
}

func (w *badWorld) over() bool {
	select {
	case <-w.crew.done:
		return true
	default:
		return false
	}
}

// await waits for a time, or for the end of the rollout.
func (w *badWorld) await(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-w.crew.done:
	case <-timer.C:
	}
}
