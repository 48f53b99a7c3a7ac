package apiserver_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	istiov1 "istio.io/client-go/pkg/apis/networking/v1"
	versioned "istio.io/client-go/pkg/clientset/versioned"
	"istio.io/client-go/pkg/informers/externalversions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/fake/apiserver"
)

// label sets the label "n" of reviews.
func label(t testing.TB, s *apiserver.Server, n string) {
	t.Helper()
	c, _ := virtualService(t, s)
	_, err := c.Patch(ctx, "reviews", types.MergePatchType, []byte(`{"metadata":{"labels":{"n":"`+n+`"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
}

// told receives the next event and says it in short.
func told(t testing.TB, w watch.Interface) string {
	t.Helper()
	e, open := <-w.ResultChan()
	if !open {
		return "closed"
	}
	vs, ok := e.Object.(*istiov1.VirtualService)
	if !ok {
		return fmt.Sprintf("%s %v", e.Type, apierrors.FromObject(e.Object))
	}
	return fmt.Sprintf("%s %s n=%s", e.Type, vs.Name, vs.Labels["n"])
}

func TestAWatchTellsWhatChangedSinceAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, vs := virtualService(t, s)
		label(t, s, "1")
		w, err := c.Watch(ctx, metav1.ListOptions{ResourceVersion: vs.ResourceVersion})
		require.NoError(t, err)
		defer w.Stop()
		require.Equal(t, "MODIFIED reviews n=1", told(t, w))
		label(t, s, "2")
		require.Equal(t, "MODIFIED reviews n=2", told(t, w))
		require.NoError(t, s.Load([]byte(deployment)))
		require.NoError(t, c.Delete(ctx, "reviews", metav1.DeleteOptions{}))
		require.Equal(t, "DELETED reviews n=2", told(t, w))
		require.NoError(t, s.Load([]byte(reviews)))
		require.Equal(t, "ADDED reviews n=", told(t, w))
		w.Stop()
		synctest.Wait()
		require.Equal(t, "closed", told(t, w))
	})
}

func TestAWatchSeesObjectsEnterAndLeaveItsSelectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, _ := virtualService(t, s)
		w, err := c.Watch(ctx, metav1.ListOptions{LabelSelector: "n=1", FieldSelector: "metadata.name=reviews"})
		require.NoError(t, err)
		defer w.Stop()
		for _, n := range []string{"0", "1", "2"} {
			label(t, s, n)
		}
		require.Equal(t, "ADDED reviews n=1", told(t, w))
		require.Equal(t, "DELETED reviews n=2", told(t, w))
		for _, bad := range []metav1.ListOptions{{LabelSelector: "!!"}, {FieldSelector: "a"}, {FieldSelector: "spec.hosts=a"}, {ResourceVersion: "x"}} {
			_, err := c.Watch(ctx, bad)
			require.True(t, apierrors.IsBadRequest(err), "%v", err)
		}
		_, err = c.List(ctx, metav1.ListOptions{FieldSelector: "spec.hosts=a"})
		require.True(t, apierrors.IsBadRequest(err), "%v", err)
	})
}

func TestAVersionThatTheHistoryNoLongerHoldsIsExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, vs := virtualService(t, s)
		label(t, s, "1")
		s.Compact()
		w, err := c.Watch(ctx, metav1.ListOptions{ResourceVersion: vs.ResourceVersion})
		require.NoError(t, err)
		e := <-w.ResultChan()
		require.Equal(t, watch.Error, e.Type)
		require.True(t, apierrors.IsResourceExpired(apierrors.FromObject(e.Object)))
		require.Equal(t, "closed", told(t, w))

		for i := range 1100 {
			require.NoError(t, s.Update(virtualServices, "bookinfo", "reviews", func(o map[string]any) {
				o["metadata"].(map[string]any)["labels"] = map[string]any{"n": fmt.Sprint(i)}
			}))
		}
		_, now := virtualService(t, s)
		w, err = c.Watch(ctx, metav1.ListOptions{ResourceVersion: now.ResourceVersion})
		require.NoError(t, err)
		label(t, s, "end")
		require.Equal(t, "MODIFIED reviews n=end", told(t, w))
		w.Stop()
		w, err = c.Watch(ctx, metav1.ListOptions{ResourceVersion: "4"})
		require.NoError(t, err)
		require.Contains(t, told(t, w), "too old resource version: 4")

		_, err = c.Watch(ctx, metav1.ListOptions{ResourceVersion: "999999"})
		require.ErrorContains(t, err, "Too large resource version")
	})
}

func TestAWatchEndsAfterItsTimeoutWithABookmarkOrWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		c, vs := virtualService(t, s)
		seconds := int64(60)
		w, err := c.Watch(ctx, metav1.ListOptions{ResourceVersion: vs.ResourceVersion, TimeoutSeconds: &seconds, AllowWatchBookmarks: true})
		require.NoError(t, err)
		began := time.Now()
		require.Equal(t, "BOOKMARK  n=", told(t, w))
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, "closed", told(t, w))

		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		w, err = c.Watch(short, metav1.ListOptions{ResourceVersion: vs.ResourceVersion})
		require.NoError(t, err)
		require.Equal(t, "closed", told(t, w))
		require.Equal(t, time.Minute+time.Second, time.Since(began))
		w, err = c.Watch(short, metav1.ListOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, w)
	})
}

func TestAnInformerFollowsInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, reviews)
		factory := externalversions.NewSharedInformerFactory(istioClient(t, s), 0)
		lister := factory.Networking().V1().VirtualServices().Lister()
		running, stop := context.WithCancel(ctx)
		factory.Networking().V1().VirtualServices().Informer()
		factory.Start(running.Done())
		factory.WaitForCacheSync(running.Done())
		all, err := lister.List(labels.Everything())
		require.NoError(t, err)
		require.Len(t, all, 1)

		label(t, s, "1")
		synctest.Wait()
		vs, err := lister.VirtualServices("bookinfo").Get("reviews")
		require.NoError(t, err)
		require.Equal(t, "1", vs.Labels["n"])

		time.Sleep(100 * time.Hour) // the informer's watches end and begin again
		s.Compact()
		label(t, s, "2")
		time.Sleep(time.Minute)
		vs, err = lister.VirtualServices("bookinfo").Get("reviews")
		require.NoError(t, err)
		require.Equal(t, "2", vs.Labels["n"])
		stop()
		factory.Shutdown()
	})
}

func TestTheServerAnswersBehindARealListenerToo(t *testing.T) {
	s := newServer(t, reviews)
	loopback := httptest.NewServer(s)
	defer loopback.Close()
	c, err := versioned.NewForConfig(&rest.Config{Host: loopback.URL, QPS: -1})
	require.NoError(t, err)
	vs := c.NetworkingV1().VirtualServices("bookinfo")
	w, err := vs.Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, "ADDED reviews n=", told(t, w))
	label(t, s, "1")
	require.Equal(t, "MODIFIED reviews n=1", told(t, w))
	w.Stop()
	s.Hook(on("update", apiserver.LoseAnswer()))
	read, err := vs.Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	read.Labels["n"] = "2"
	_, err = vs.Update(ctx, read, metav1.UpdateOptions{})
	require.Error(t, err)
	read, err = vs.Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "2", read.Labels["n"])
}
