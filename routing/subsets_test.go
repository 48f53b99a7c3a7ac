package routing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

const reviewsRule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: prod}
spec:
  host: reviews
  exportTo: ["."]
  future: 1.5
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}, loadBalancer: {simple: ROUND_ROBIN}}
  subsets:
  - {name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}
  - {name: v9, labels: {version: v9}, future: true}
`

const rulesResource = "destinationrules.networking.istio.io"

func (w world) subsets(t *testing.T, settle time.Duration) *routing.Subsets {
	t.Helper()
	s, err := routing.NewSubsets(routing.SubsetsConfig{
		Client: w.client.DestinationRules("prod"), Namespace: "prod", Name: "reviews", Settle: settle,
		Subsets: []routing.Subset{
			{Name: "v1", Labels: map[string]string{"version": "v1"}},
			{Name: "v2", Labels: map[string]string{"version": "v2"}},
		},
	})
	require.NoError(t, err)
	return s
}

// What the subsets would refuse later is told beforehand.
func TestSubsetsAreCheckedBeforeTheRolloutBegins(t *testing.T) {
	w := newWorld(t, reviewsRule)
	found, err := w.subsets(t, 0).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Empty(t, found)
	require.NoError(t, w.Update(rulesResource, "prod", "reviews", func(o map[string]any) {
		o["spec"].(map[string]any)["subsets"].([]any)[0].(map[string]any)["labels"] = map[string]any{"version": "v3"}
	}))
	found, err = w.subsets(t, 0).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, found[0].Refuses)
	require.Contains(t, found[0].Problem, `DestinationRule prod/reviews: subset "v1": subset has other labels`)
	found, err = newWorld(t, twoRules).subsets(t, 0).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Contains(t, found[0].Problem, "DestinationRule prod/reviews does not exist")
	w.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err = w.subsets(t, 0).Check(t.Context(), canary.Plan{})
	require.ErrorContains(t, err, "DestinationRule prod/reviews")
}

func (w world) rule(t *testing.T) object {
	t.Helper()
	doc, ok := w.Get(rulesResource, "prod", "reviews")
	require.True(t, ok)
	return object(doc)
}

func raise(t *testing.T, s canary.Prerequisite, serial int64) canary.Answer {
	t.Helper()
	a, err := s.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(serial)})
	require.NoError(t, err)
	return a
}

func remove(t *testing.T, s canary.Prerequisite, serial int64) {
	t.Helper()
	a, err := s.Cleanup(t.Context(), canary.Question{Fence: at(serial)})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}

func TestAMissingSubsetIsAddedAndSettlesAndIsRemovedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reviewsRule)
		before := spec(t, w.rule(t))
		s := w.subsets(t, 10*time.Second)
		a := raise(t, s, 3)
		require.Equal(t, canary.Answer{
			Reply: canary.Wait, Reason: "the new subsets of DestinationRule prod/reviews need until 00:00:10 to reach all proxies",
		}, a)
		require.Equal(t, []string{"v1", "v9", "v2"}, subsetNames(t, w.rule(t)))

		time.Sleep(9 * time.Second)
		require.Equal(t, canary.Wait, raise(t, s, 3).Reply)
		time.Sleep(time.Second)
		w.ResetRequests()
		require.Equal(t, canary.Yes, raise(t, w.subsets(t, 10*time.Second), 4).Reply, "another process knows the time, too")
		require.Zero(t, w.Requests()[apiserver.Request{Verb: "patch", Resource: rulesResource}])

		remove(t, s, 9)
		require.JSONEq(t, before, spec(t, w.rule(t)))
		remove(t, s, 9)
	})
}

func TestNothingIsDoneForTrafficThatIsStableOnly(t *testing.T) {
	w := newWorld(t, reviewsRule)
	before := w.rule(t)
	a, err := w.subsets(t, 0).Ensure(t.Context(), canary.Question{Traffic: canary.Traffic{}, Fence: at(3)})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	require.Equal(t, before, w.rule(t))
}

func TestTheUsersSubsetsStay(t *testing.T) {
	w := newWorld(t, reviewsRule)
	s := w.subsets(t, 0)
	require.Equal(t, canary.Yes, raise(t, s, 1).Reply)
	// The user takes the added subset over, by other labels, and adds one.
	w.changeSubsets(t, func(subsets []any) []any {
		subsets[2].(document)["labels"] = document{"version": "v2", "tier": "gold"}
		return append(subsets, document{"name": "v3", "labels": document{"version": "v3"}})
	})
	_, err := s.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(2)})
	require.ErrorIs(t, err, routing.ErrForeignSubset)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `DestinationRule prod/reviews: subset "v2": subset has other labels: map[tier:gold version:v2]`)
	remove(t, s, 3)
	require.Equal(t, []string{"v1", "v9", "v2", "v3"}, subsetNames(t, w.rule(t)))
}

func TestASubsetRemovedByHandIsAddedAgainAndSettlesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reviewsRule)
		s := w.subsets(t, time.Minute)
		raise(t, s, 1)
		time.Sleep(time.Hour)
		w.changeSubsets(t, func(subsets []any) []any { return subsets[:1] })
		require.Equal(t, canary.Wait, raise(t, s, 2).Reply)
		require.Equal(t, []string{"v1", "v2"}, subsetNames(t, w.rule(t)))
		time.Sleep(time.Minute)
		require.Equal(t, canary.Yes, raise(t, s, 2).Reply)
	})
}

func TestARuleWithoutSubsetsHasNoneAgainAtTheEnd(t *testing.T) {
	w := newWorld(t, reviewsRule)
	require.NoError(t, w.Update(rulesResource, "prod", "reviews", func(o map[string]any) { delete(o["spec"].(document), "subsets") }))
	before := spec(t, w.rule(t))
	s := w.subsets(t, 0)
	raise(t, s, 1)
	require.Equal(t, []string{"v1", "v2"}, subsetNames(t, w.rule(t)))
	remove(t, s, 2)
	require.JSONEq(t, before, spec(t, w.rule(t)))
}

// Nothing is left of a rollout that is over (R14), and a driver that slept through the
// end of it adds nothing: the State tells it, or the object that changed meanwhile.
func TestADriverThatSleptThroughTheEndAddsAndRemovesNothing(t *testing.T) {
	for name, begun := range map[string]bool{"after a raise": true, "though nothing was raised": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reviewsRule)
			before := w.rule(t)
			s := w.subsets(t, 0)
			late := canary.Question{Traffic: share(5), Fence: at(4)}
			if begun {
				raise(t, s, 3)
			}
			over := false
			late.Current = func(context.Context) error {
				if over {
					return canary.ErrConflict
				}
				return nil
			}
			if !begun {
				// It has asked already when the others end the rollout.
				once := w.Hook(func(c apiserver.Call) apiserver.Fault {
					if c.Verb == "patch" && !over {
						over = true
						remove(t, s, 5)
					}
					return nil
				})
				_, err := s.Ensure(t.Context(), late)
				require.ErrorIs(t, err, canary.ErrConflict)
				require.True(t, over)
				once()
				require.Equal(t, unversioned(t, before), unversioned(t, w.rule(t)))
			}
			remove(t, s, 5)
			over = true
			_, err := s.Ensure(t.Context(), late)
			require.ErrorIs(t, err, canary.ErrConflict)
			require.Equal(t, unversioned(t, before), unversioned(t, w.rule(t)))

			raise(t, s, 6)
			for _, late := range []func(context.Context, canary.Question) (canary.Answer, error){s.Cleanup, s.Ensure} {
				_, err = late(t.Context(), canary.Question{Traffic: share(5), Fence: at(5)})
				require.ErrorIs(t, err, canary.FencedError{Serial: 6})
				require.EqualError(t, err, "routing: DestinationRule prod/reviews: serial 6 was acted on already")
			}
			require.Equal(t, []string{"v1", "v9", "v2"}, subsetNames(t, w.rule(t)))
		})
	}
}

// unversioned is an object without what the API server counts.
func unversioned(t *testing.T, o object) string {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	meta := doc["metadata"].(document)
	delete(meta, "resourceVersion")
	delete(meta, "generation")
	delete(meta, "managedFields")
	return encode(t, doc)
}

// A Cleanup that comes to nothing half-way is done by the next one.
func TestACleanupIsRepeated(t *testing.T) {
	for n := 1; n <= 2; n++ {
		w := newWorld(t, reviewsRule)
		before := w.rule(t)
		s := w.subsets(t, 0)
		patches := 0
		done := w.Hook(func(c apiserver.Call) apiserver.Fault {
			if c.Verb == "patch" {
				if patches++; patches == n {
					return apiserver.ServerError()
				}
			}
			return nil
		})
		_, err := s.Cleanup(t.Context(), canary.Question{Fence: at(5)})
		require.Error(t, err)
		done()
		remove(t, s, 5)
		require.Equal(t, unversioned(t, before), unversioned(t, w.rule(t)))
	}
}

func TestNothingIsWrittenWhereTheUserHasAllSubsets(t *testing.T) {
	w := newWorld(t, reviewsRule)
	w.changeSubsets(t, func(subsets []any) []any {
		return append(subsets, document{"name": "v2", "labels": document{"version": "v2"}})
	})
	before := w.rule(t)
	s := w.subsets(t, time.Minute)
	require.Equal(t, canary.Yes, raise(t, s, 3).Reply)
	remove(t, s, 5)
	require.Equal(t, before, w.rule(t))
}

func TestTwoDriversRaiseOnce(t *testing.T) {
	w := newWorld(t, reviewsRule)
	s := w.subsets(t, 0)
	first := true
	defer w.Hook(func(c apiserver.Call) apiserver.Fault {
		if c.Verb == "patch" && first {
			first = false
			raise(t, s, 1) // the other driver gets through before
		}
		return nil
	})()
	_, err := s.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.Equal(t, []string{"v1", "v9", "v2"}, subsetNames(t, w.rule(t)))
}

func TestAMarkThatCannotBeUnderstoodIsAnError(t *testing.T) {
	for _, text := range []string{"", "{", `{"serial":-1}`, `{"serial":1,"x":2}`, `{"at":7}`} {
		w := newWorld(t, reviewsRule)
		require.NoError(t, w.Update(rulesResource, "prod", "reviews", func(o map[string]any) {
			o["metadata"].(document)["annotations"] = document{routing.SubsetsAnnotation: text}
		}))
		_, err := w.subsets(t, 0).Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
		require.ErrorIs(t, err, canary.ErrBadState, text)
		_, err = w.subsets(t, 0).Cleanup(t.Context(), canary.Question{Fence: at(1)})
		require.ErrorIs(t, err, canary.ErrBadState, text)
	}
}

func TestAMissingDestinationRuleIsNotMade(t *testing.T) {
	w := newWorld(t)
	_, err := w.subsets(t, 0).Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
	require.ErrorContains(t, err, `DestinationRule prod/reviews: destinationrules.networking.istio.io "reviews" not found`)
}

func TestNewSubsetsReportsAllMistakesAtOnce(t *testing.T) {
	_, err := routing.NewSubsets(routing.SubsetsConfig{
		Name: "reviews", Settle: -time.Second,
		Subsets: []routing.Subset{{Name: "v1", Labels: map[string]string{"a": "b"}}, {Name: "v1", Labels: map[string]string{"a": "c"}}, {}},
	})
	for _, want := range []string{"client is missing", "namespace", "settle is -1s; want 0 or more", `subset 1: "v1" is listed twice`, "subset 2: name or labels"} {
		require.ErrorContains(t, err, want)
	}
}

func (w world) changeSubsets(t *testing.T, change func([]any) []any) {
	t.Helper()
	require.NoError(t, w.Update(rulesResource, "prod", "reviews", func(o map[string]any) {
		s := o["spec"].(document)
		s["subsets"] = change(s["subsets"].([]any))
	}))
}

func subsetNames(t *testing.T, o object) []string {
	t.Helper()
	var doc struct {
		Spec struct{ Subsets []struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal(o, &doc), fmt.Sprint(string(o)))
	var names []string
	for _, s := range doc.Spec.Subsets {
		names = append(names, s.Name)
	}
	return names
}

// at is the fence of the rollout that most tests are about.
func at(serial int64) canary.Fence { return canary.Fence{Rollout: "first", Serial: serial} }

// A State can be forgotten by a reset, which takes no subset down.
func TestARolloutTakesOverTheSubsetsThatAForgottenOneLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reviewsRule)
		before := spec(t, w.rule(t))
		s := w.subsets(t, time.Minute)
		second := func(serial int64) canary.Fence { return canary.Fence{Rollout: "second", Serial: serial} }
		raise(t, s, 3)
		time.Sleep(time.Minute)
		w.ResetRequests()
		for serial := range int64(2) {
			a, err := s.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: second(10 + serial)})
			require.NoError(t, err)
			require.Equal(t, canary.Yes, a.Reply, "it has settled already")
			require.Equal(t, 1, w.Requests()[apiserver.Request{Verb: "patch", Resource: rulesResource}], "once is enough")
		}
		_, err := s.Cleanup(t.Context(), canary.Question{Fence: at(9)})
		require.ErrorIs(t, err, canary.FencedError{Serial: 10}, "a late driver of the first rollout takes nothing from the second")
		require.Equal(t, []string{"v1", "v9", "v2"}, subsetNames(t, w.rule(t)))
		_, err = s.Cleanup(t.Context(), canary.Question{Fence: second(12)})
		require.NoError(t, err)
		require.JSONEq(t, before, spec(t, w.rule(t)))
	})
}

// What is not there any more needs no cleaning up.
func TestADestinationRuleThatIsGoneIsClean(t *testing.T) {
	w := newWorld(t, reviewsRule)
	s := w.subsets(t, 0)
	raise(t, s, 3)
	require.NoError(t, w.Delete(rulesResource, "prod", "reviews"))
	remove(t, s, 5)
}
