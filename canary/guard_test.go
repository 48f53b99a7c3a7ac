package canary_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
)

// judgeFunc is an Analyzer.
type judgeFunc func(context.Context, analysis.Request) (analysis.Result, error)

func (f judgeFunc) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	return f(ctx, r)
}

// E20, E28: whatever a part does, the turn comes to a decision.
func TestNoPartKeepsATurnFromItsDecision(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"hangs":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"panics": func(context.Context) error { panic("nil map") },
		"errs":   func(context.Context) error { return errors.New("503") },
	} {
		want := map[string]string{"hangs": "no answer within 10s", "panics": "it panicked: nil map", "errs": "503"}[name]
		step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Second, Deadline: 5 * time.Minute, LeaveGates: []string{"friday"}}
		plan := canary.NewPlan("p").Step(step).BlindLimit(time.Hour)
		parts := map[string]func(*canary.Config){
			"judge": func(c *canary.Config) {
				c.Analyzer = judgeFunc(func(ctx context.Context, _ analysis.Request) (analysis.Result, error) {
					return analysis.Result{}, fail(ctx)
				})
			},
			"gate": func(c *canary.Config) {
				c.Gates = map[string]canary.Gate{"friday": func(ctx context.Context) (canary.Answer, error) { return canary.Answer{}, fail(ctx) }}
			},
			"workload": func(c *canary.Config) { c.Workload = failing{new(canarytest.Workload), fail} },
		}
		for part, install := range parts {
			t.Run(part+" "+name, func(t *testing.T) {
				story(t, plan, func(t *testing.T, s *stage) {
					began := time.Now()
					_, err := s.run()
					require.ErrorIs(t, err, canary.ErrRolledBack)
					require.ErrorContains(t, err, "missed its deadline")
					require.Less(t, time.Since(began), 7*time.Minute)
					s.heard(want)
				}, install)
			})
		}
		t.Run("router "+name, func(t *testing.T) {
			story(t, plan, func(t *testing.T, s *stage) {
				began := time.Now()
				r, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, plan), Router: deaf{s.router, fail}, Analyzer: s.judge})
				require.NoError(t, err)
				_, err = r.Turn(t.Context())
				require.ErrorContains(t, err, want)
				require.LessOrEqual(t, time.Since(began), 10*time.Second)
			})
		})
	}
}

// failing is a Workload that cannot tell whether the canary is ready.
type failing struct {
	canary.Workload
	fail func(context.Context) error
}

func (f failing) Ready(ctx context.Context, _ canary.Question) (canary.Answer, error) {
	return canary.Answer{}, f.fail(ctx)
}

// deaf is a Router that cannot be read.
type deaf struct {
	canary.Router
	fail func(context.Context) error
}

func (d deaf) Read(ctx context.Context) (canary.Reading, error) { return canary.Reading{}, d.fail(ctx) }

// E17: a slow Observer costs the rollout no time, hears of every State that it
// did not miss, and its panic ends nothing.
func TestASlowObserverDelaysNothing(t *testing.T) {
	var heard []canary.Event
	story(t, s2().Interval(time.Second), func(t *testing.T, s *stage) {
		began := time.Now()
		state, err := s.run()
		require.NoError(t, err)
		require.Less(t, time.Since(began), 8*time.Minute)
		time.Sleep(time.Hour)
		synctest.Wait()
		last := heard[len(heard)-1]
		require.Equal(t, state.Serial, last.After.Serial)
		missed := 0
		for _, e := range heard {
			missed += e.Missed
		}
		require.Equal(t, len(s.said), len(heard)+missed)
		require.NotZero(t, missed)
	}, func(c *canary.Config) {
		c.Observers = append(c.Observers,
			func(_ context.Context, e canary.Event) { heard = append(heard, e); time.Sleep(30 * time.Second) },
			func(context.Context, canary.Event) { panic("nobody expects it") })
	})
}

// The answer to a write was lost: the State is told by the turn that finds it.
func TestAStateWhoseWriteWasNotAnsweredIsTold(t *testing.T) {
	told := map[int64]bool{}
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		written := map[int64]bool{}
		s.router.AfterWrite = func() error {
			written[s.read().State.Serial] = true
			return errors.New("connection reset")
		}
		_, err := s.run()
		require.NoError(t, err)
		require.Equal(t, written, told)
	}, func(c *canary.Config) {
		c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
			told[e.Before.Serial] = true
			if e.Err == nil {
				told[e.After.Serial] = true
			}
			delete(told, 0)
		})
	})
}

// watched is a Workload that tells of its changes.
type watched struct {
	canary.Workload
	changed chan struct{}
}

func (w watched) Wake(context.Context) <-chan struct{} { return w.changed }

func TestAWakeUpIsTheNextTurn(t *testing.T) {
	for name, changes := range map[string]int{"one": 1, "many": 10_000} {
		t.Run(name, func(t *testing.T) {
			w := watched{new(canarytest.Workload), make(chan struct{}, changes)}
			answer := canary.Wait.Because("0 of 2 pods")
			asked := 0
			story(t, twoSteps().Interval(time.Hour), func(t *testing.T, s *stage) {
				began := time.Now()
				time.AfterFunc(10*time.Second, func() {
					answer = canary.Answer{Reply: canary.Yes}
					for range changes {
						w.changed <- struct{}{}
					}
					close(w.changed)
				})
				for s.read().State.Phase != phase.Progressing {
					s.turns(11 * time.Second)
				}
				require.Equal(t, 11*time.Second, time.Since(began))
				require.Less(t, asked, 20, "a turn sees many changes")
			}, func(c *canary.Config) {
				w.changed = make(chan struct{}, changes) // of the bubble
				c.Workload = ready{w, func() canary.Answer { asked++; return answer }}
			})
		})
	}
}

// ready is a watched Workload with an answer of its own.
type ready struct {
	watched
	answer func() canary.Answer
}

func (r ready) Ready(context.Context, canary.Question) (canary.Answer, error) { return r.answer(), nil }

// hanging is a Config with pods that are watched, and a judge whose store hangs at some time.
func hanging(w *dying, hangs *bool) func(*canary.Config) {
	return func(c *canary.Config) {
		w.changed = make(chan struct{}, 3) // of the bubble
		c.Workload = *w
		c.Analyzer = judgeFunc(func(ctx context.Context, _ analysis.Request) (analysis.Result, error) {
			if *hangs {
				<-ctx.Done()
			}
			return analysis.Result{}, ctx.Err()
		})
	}
}

// E37: the pods go while the store hangs. Their watch interrupts the question to it.
func TestAWakeUpInterruptsTheQuestionUnderWay(t *testing.T) {
	w := dying{watched{Workload: new(canarytest.Workload)}, new(time.Time)}
	hangs := false
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(25 * time.Second)
		hangs = true
		began := time.Now()
		*w.at = began.Add(8 * time.Second)
		time.AfterFunc(8*time.Second, func() {
			for range 3 {
				w.changed <- struct{}{}
			}
		})
		s.turns(20 * time.Second)
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, 8*time.Second, read.State.Shifted.Sub(began).Round(time.Second))
	}, hanging(&w, &hangs))
}

// dying is a Workload whose canary has no pod from some time on.
type dying struct {
	watched
	at *time.Time
}

func (d dying) Inspect(context.Context, canary.Question) (seen canary.Inspection, err error) {
	if !d.at.IsZero() && !time.Now().Before(*d.at) {
		seen.Dead = "no pod is ready"
	}
	return seen, nil
}

// Changes without an end keep no judge from its answer.
func TestARestlessWakerDoesNotKeepTheJudgeFromItsAnswer(t *testing.T) {
	w := watched{Workload: new(canarytest.Workload)}
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			often := time.NewTicker(50 * time.Millisecond)
			defer often.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-often.C:
				}
				select {
				case w.changed <- struct{}{}:
				default: // nobody listens any more
				}
			}
		}()
		s.promotes()
	}, func(c *canary.Config) {
		w.changed = make(chan struct{}) // of the bubble
		c.Workload = w
		c.Analyzer = judgeFunc(func(ctx context.Context, _ analysis.Request) (analysis.Result, error) {
			timer := time.NewTimer(time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
				return analysis.Result{Verdict: analysis.Pass, Reason: "as good as stable"}, nil
			case <-ctx.Done():
				return analysis.Result{}, ctx.Err()
			}
		})
	})
}

// Each pod that goes is a change of its own.
func TestPodsThatGoOneByOneAreSeenWhileTheStoreHangs(t *testing.T) {
	w := dying{watched{Workload: new(canarytest.Workload)}, new(time.Time)}
	hangs := false
	story(t, twoSteps().Interval(time.Minute), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		hangs = true
		began := time.Now()
		*w.at = began.Add(70 * time.Second)
		for _, at := range []time.Duration{68 * time.Second, 69 * time.Second, 70 * time.Second} { // 2, 1 and 0 pods of 3 are ready
			time.AfterFunc(at, func() { w.changed <- struct{}{} })
		}
		s.turns(10 * time.Minute)
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Less(t, read.State.Shifted.Sub(*w.at), 5*time.Second, "users were on a canary without a pod for so long")
	}, hanging(&w, &hangs))
}

// Something changes just as the judge answers.
func TestAWakeUpThatMeetsAnAnswerIsNotLost(t *testing.T) {
	lost := 0
	for range 100 {
		w := dying{watched{Workload: new(canarytest.Workload)}, new(time.Time)}
		dies := false
		story(t, twoSteps().Interval(time.Minute), func(t *testing.T, s *stage) {
			s.turns(30 * time.Second)
			dies = true
			s.turns(3 * time.Minute)
			read := s.read()
			require.Zero(t, read.Traffic)
			if read.State.Shifted.Sub(*w.at) > time.Second {
				lost++
			}
		}, func(c *canary.Config) {
			w.changed = make(chan struct{}, 3)
			c.Workload = w
			c.Analyzer = judgeFunc(func(ctx context.Context, _ analysis.Request) (analysis.Result, error) {
				if dies && w.at.IsZero() {
					*w.at = time.Now()
					w.changed <- struct{}{}
				}
				return analysis.Result{}, nil
			})
		})
	}
	require.Zero(t, lost, "noticed only after the interval")
}
