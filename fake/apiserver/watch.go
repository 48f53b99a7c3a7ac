package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher is one active watch.
type watcher struct {
	store     *store
	call      Call
	selects   func(*object) bool
	objects   []*object // the first events
	at        uint64    // the version up to which it has told, the objects included
	initial   bool      // a bookmark marks the end of the objects
	bookmarks bool
	wake      chan struct{}
	end       <-chan time.Time // nil without a timeout
	out       flusher
}

// doWatch prepares a watch from the resourceVersion of the call. Without one, with 0, or
// if initial events are requested, the watch begins with the objects that exist.
func (s *Server) doWatch(c Call) (Answer, error) {
	selects, err := selector(c)
	if err != nil {
		return Answer{}, err
	}
	var timeout time.Duration
	if text := c.query.Get("timeoutSeconds"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return Answer{}, apierrors.NewBadRequest(fmt.Sprintf("invalid timeoutSeconds %q", text))
		}
		timeout = time.Duration(seconds) * time.Second
	}
	w := &watcher{
		store: s.store, call: c, selects: selects,
		initial:   isTrue(c.query.Get("sendInitialEvents")),
		bookmarks: isTrue(c.query.Get("allowWatchBookmarks")),
		wake:      make(chan struct{}, 1), // made by the request, so that it belongs to the bubble that waits for it
	}
	if err := w.begin(c.query.Get("resourceVersion")); err != nil {
		return Answer{}, err
	}
	return Answer{Code: http.StatusOK, stream: func(ctx context.Context, out flusher) {
		w.out = out
		if timeout > 0 {
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			w.end = timer.C
		}
		w.run(ctx)
	}}, nil
}

// begin collects the first events: the objects that exist, or the changes after a
// version. A future version is refused. The watch begins with this call, not when its
// stream starts.
func (w *watcher) begin(from string) error {
	w.store.RLock()
	defer w.store.RUnlock()
	if from == "" || from == "0" || w.initial {
		w.objects, w.at = w.store.list(w.call.res, w.call.Namespace), w.store.version
		return nil
	}
	at, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("invalid resource version %q", from))
	}
	if at > w.store.version {
		return apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", at, w.store.version), 1)
	}
	w.at = at
	return nil
}

// run sends changes until the context ends or the watch ends.
func (w *watcher) run(ctx context.Context) {
	w.store.Lock()
	w.store.watchers[w.wake] = struct{}{}
	w.store.Unlock()
	defer func() {
		w.store.Lock()
		delete(w.store.watchers, w.wake)
		w.store.Unlock()
	}()
	if w.out.Flush() != nil || !w.tellObjects() {
		return
	}
	for w.tell() {
		select {
		case <-ctx.Done():
			return
		case <-w.end:
			if w.bookmarks {
				w.bookmark(false)
			}
			return
		case <-w.wake:
		}
	}
}

// tellObjects sends the objects that existed when the watch began.
func (w *watcher) tellObjects() bool {
	for _, o := range w.objects {
		if w.selects(o) && !w.send(watch.Added, o.in(w.call.version)) {
			return false
		}
	}
	w.objects = nil
	return !w.initial || !w.bookmarks || w.bookmark(true)
}

// tell sends the changes since the last call; false if the watch is over.
func (w *watcher) tell() bool {
	w.store.RLock()
	events, ok := w.store.since(w.at)
	now := w.store.version
	w.store.RUnlock()
	if !ok {
		err := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", w.at, now))
		w.send(watch.Error, failure(err).Body)
		return false
	}
	w.at = now
	for _, e := range events {
		if !w.tellEvent(e) {
			return false
		}
	}
	return true
}

// tellEvent sends one change as the selector sees it: an object that begins to match is
// added, and one that no longer matches is deleted.
func (w *watcher) tellEvent(e event) bool {
	if e.now.res != w.call.res || (w.call.Namespace != "" && e.now.namespace != w.call.Namespace) {
		return true
	}
	is := e.kind != watch.Deleted && w.selects(e.now)
	was := w.selects(e.was)
	switch {
	case is && was:
		return w.send(watch.Modified, e.now.in(w.call.version))
	case is:
		return w.send(watch.Added, e.now.in(w.call.version))
	case was:
		return w.send(watch.Deleted, e.now.in(w.call.version))
	}
	return true
}

func (w *watcher) bookmark(initialEnd bool) bool {
	meta := map[string]any{"resourceVersion": strconv.FormatUint(w.at, 10)}
	if initialEnd {
		meta["annotations"] = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return w.send(watch.Bookmark, encode(map[string]any{
		"kind": w.call.res.kind, "apiVersion": w.call.res.apiVersion(w.call.version), "metadata": meta,
	}))
}

// send writes one event; false if the client is gone.
func (w *watcher) send(kind watch.EventType, raw json.RawMessage) bool {
	line := append([]byte(`{"type":"`+string(kind)+`","object":`), raw...)
	if _, err := w.out.Write(append(line, '}', '\n')); err != nil {
		return false
	}
	return w.out.Flush() == nil
}
