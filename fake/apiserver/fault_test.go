package apiserver_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/apiserver"
)

// on is a hook with a fault for one verb.
func on(verb string, f apiserver.Fault) func(apiserver.Call) apiserver.Fault {
	return func(c apiserver.Call) apiserver.Fault {
		if c.Verb == verb {
			return f
		}
		return nil
	}
}

func TestAFaultDecidesWhatIsDoneAndWhatIsAnswered(t *testing.T) {
	lost := func(err error) bool { return errors.Is(err, apiserver.ErrLost) }
	for _, tc := range []struct {
		name  string
		fault apiserver.Fault
		is    func(error) bool
		done  bool
	}{
		{"conflict", apiserver.Conflict(), apierrors.IsConflict, false},
		{"conflict after the effect", apiserver.After(apiserver.Conflict()), apierrors.IsConflict, true},
		{"too many requests", apiserver.TooManyRequests(0), apierrors.IsTooManyRequests, false},
		{"server error", apiserver.ServerError(), apierrors.IsInternalError, false},
		{"server error after the effect", apiserver.After(apiserver.ServerError()), apierrors.IsInternalError, true},
		{"any other error", apiserver.Refuse(errors.New("disk full")), apierrors.IsInternalError, false},
		{"timeout", apiserver.Timeout(), apierrors.IsTimeout, false},
		{"timeout after the effect", apiserver.After(apiserver.Timeout()), apierrors.IsTimeout, true},
		{"lost request", apiserver.Lose(), lost, false},
		{"lost answer", apiserver.LoseAnswer(), lost, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, reviews)
			c, vs := virtualService(t, s)
			s.Hook(on("patch", tc.fault))
			_, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent), metav1.PatchOptions{})
			require.True(t, tc.is(err), "%v", err)
			_, after := virtualService(t, s)
			require.Equal(t, tc.done, after.ResourceVersion != vs.ResourceVersion)
		})
	}
}

func TestClientGoWaitsOutARetryAfterByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, vs := virtualService(t, s)
		refusals := 2
		s.Hook(func(apiserver.Call) apiserver.Fault {
			if refusals == 0 {
				return nil
			}
			refusals--
			return apiserver.TooManyRequests(3)
		})
		s.ResetRequests()
		began := time.Now()
		_, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent), metav1.PatchOptions{})
		require.NoError(t, err)
		require.Equal(t, 6*time.Second, time.Since(began))
		require.Equal(t, map[apiserver.Request]int{{Verb: "patch", Resource: virtualServices}: 3}, s.Requests())
	})
}

func TestADelayOrAHangEndsWithTheContext(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"hang": apiserver.Hang(), "delay": apiserver.Delay(time.Hour, nil), "answer delayed": apiserver.After(apiserver.Hang()),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, reviews)
			c, vs := virtualService(t, s)
			s.Hook(on("patch", fault))
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := c.Patch(short, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent), metav1.PatchOptions{})
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			_, after := virtualService(t, s)
			require.Equal(t, name == "answer delayed", after.ResourceVersion != vs.ResourceVersion, name)
			_, err = c.Get(short, "reviews", metav1.GetOptions{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestFaultsOfSeveralHooksStandAroundEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, _ := virtualService(t, s)
		remove := s.Hook(on("get", apiserver.Delay(time.Second, nil)))
		s.Hook(on("get", apiserver.Delay(time.Minute, apiserver.ServerError())))
		began := time.Now()
		_, err := c.Get(ctx, "reviews", metav1.GetOptions{})
		require.True(t, apierrors.IsInternalError(err), "%v", err)
		require.Equal(t, time.Minute+time.Second, time.Since(began))
		remove()
		began = time.Now()
		_, err = c.Get(ctx, "reviews", metav1.GetOptions{})
		require.True(t, apierrors.IsInternalError(err), "%v", err)
		require.Equal(t, time.Minute, time.Since(began))
	})
}

func TestAFaultMayAnswerSomethingElse(t *testing.T) {
	s := newServer(t, reviews)
	c, _ := virtualService(t, s)
	s.Hook(func(call apiserver.Call) apiserver.Fault {
		require.Equal(t, "bookinfo", call.Namespace)
		require.Equal(t, "reviews", call.Name)
		return func(_ context.Context, _ apiserver.Call, do func() apiserver.Answer) apiserver.Answer {
			require.Equal(t, http.StatusOK, do().Code)
			return apiserver.Answer{Body: []byte(`{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"else"}}`)}
		}
	})
	vs, err := c.Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "else", vs.Name)
}

func TestAStaleReadAnswersAnOlderVersion(t *testing.T) {
	s := newServer(t, reviews)
	c, first := virtualService(t, s)
	for _, labels := range []string{`{"n":"1"}`, `{"n":"2"}`, `{"n":"3"}`} {
		_, err := c.Patch(ctx, "reviews", types.MergePatchType, []byte(`{"metadata":{"labels":`+labels+`}}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	versions := 0
	s.Hook(func(apiserver.Call) apiserver.Fault { return s.Stale(versions) })
	for _, want := range []string{"3", "2", "1", "", ""} {
		vs, err := c.Get(ctx, "reviews", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want, vs.Labels["n"])
		if versions > 3 {
			require.Equal(t, first, vs)
		}
		versions++
	}
	_, err := c.Get(ctx, "nobody", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	_, err = c.List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
}
