package apiserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrLost is what a client of [Server.Config] gets in place of an answer that was lost, wrapped in a *url.Error.
// Behind a listener the connection is dropped instead.
var ErrLost = errors.New("apiserver: connection lost")

// Call is one request as a hook sees it, before anything is done.
type Call struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Resource is "virtualservices.networking.istio.io", "pods" and so on.
	Resource string
	// Namespace and Name are empty where the request has none; the name of an object to be created is in the Body.
	Namespace, Name string
	// Subresource is "status" or empty.
	Subresource string
	// Body is the document or the patch sent. It must not be changed.
	Body []byte

	target
}

// Answer is what the server says to one request.
type Answer struct {
	// Code is the HTTP status; 0 is 200.
	Code int
	// Header may be nil. The content type is always JSON.
	Header http.Header
	// Body must not be changed.
	Body []byte
	// Lost drops the connection in place of the answer.
	Lost bool

	// stream is set for a watch; it writes until the context ends or the watch does.
	stream func(ctx context.Context, w flusher)
}

// Fault stands between a request and what it does: it may do it (do has an effect only once, further calls return the
// same Answer), before or after other things, or answer by itself. It should return when ctx ends. A nil Fault does
// nothing out of the ordinary.
type Fault func(ctx context.Context, call Call, do func() Answer) Answer

// Hook has the function asked about every request from now on; the faults that several hooks return stand around each
// other, that of the first hook outermost. It returns a function that removes the hook. The hook is called without any
// lock held, from many goroutines at once when there are as many requests, and may use the server.
func (s *Server) Hook(hook func(Call) Fault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := &hook
	s.hooks = append(s.hooks[:len(s.hooks):len(s.hooks)], own)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		var rest []*func(Call) Fault
		for _, h := range s.hooks {
			if h != own {
				rest = append(rest, h)
			}
		}
		s.hooks = rest
	}
}

// Refuse answers an error in place of doing what was asked. A status error of apimachinery is answered as it is, every
// other as 500. A client of client-go repeats a request by itself, up to ten times, when the status says after how many
// seconds and its code is 429 or 5xx: its caller sees such a fault only as time that passes.
func Refuse(err error) Fault {
	return func(context.Context, Call, func() Answer) Answer { return failure(err) }
}

// After does what was asked and then lets the fault answer: After(ServerError()) has its effect and answers 500.
func After(f Fault) Fault {
	return func(ctx context.Context, call Call, do func() Answer) Answer {
		do()
		return f(ctx, call, do)
	}
}

// Delay waits before the fault (before doing what was asked, when it is nil). When ctx ends first, the request is lost
// and without effect.
func Delay(d time.Duration, f Fault) Fault {
	return func(ctx context.Context, call Call, do func() Answer) Answer {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return Answer{Lost: true}
		case <-timer.C:
		}
		if f == nil {
			return do()
		}
		return f(ctx, call, do)
	}
}

// Lose drops the request: nothing is done and [ErrLost] is all that the client hears.
func Lose() Fault {
	return func(context.Context, Call, func() Answer) Answer { return Answer{Lost: true} }
}

// LoseAnswer does what was asked; the client hears [ErrLost] all the same.
func LoseAnswer() Fault { return After(Lose()) }

// Hang does nothing until the client gives up: ctx must end. After(Hang()) does what was asked first.
func Hang() Fault {
	return func(ctx context.Context, _ Call, _ func() Answer) Answer {
		<-ctx.Done()
		return Answer{Lost: true}
	}
}

// Conflict answers 409 as if somebody else had changed the object.
func Conflict() Fault {
	return func(_ context.Context, call Call, _ func() Answer) Answer {
		return failure(apierrors.NewConflict(call.res.groupResource(), call.Name, errors.New(modified)))
	}
}

// TooManyRequests answers 429. A real server always says after how many seconds to come again, and client-go then waits
// and repeats by itself (see [Refuse]); with 0 it does not, and the caller sees apierrors.IsTooManyRequests.
func TooManyRequests(seconds int) Fault {
	return Refuse(apierrors.NewTooManyRequests("the server is overloaded", seconds))
}

// ServerError answers 500.
func ServerError() Fault { return Refuse(apierrors.NewInternalError(errors.New("injected fault"))) }

// Timeout answers 504, as a real server does when a request takes too long: After(Timeout()) when it had its effect
// nevertheless.
func Timeout() Fault {
	return Refuse(apierrors.NewTimeoutError("request did not complete within requested timeout", 0))
}

// Stale answers a get with the version of the object that was a number of versions ago, or the oldest that is known; a
// server behind a lagging cache does that. Other verbs, and objects that do not exist, are answered as usual.
func (s *Server) Stale(versions int) Fault {
	return func(_ context.Context, call Call, do func() Answer) Answer {
		if call.Verb != "get" {
			return do()
		}
		s.store.RLock()
		defer s.store.RUnlock()
		o, ok := s.store.before(call.key(), versions)
		if !ok {
			return failure(notFound(call.key()))
		}
		return Answer{Code: http.StatusOK, Body: o.in(call.version)}
	}
}

// failure is the answer for an error.
func failure(err error) Answer {
	status := statusOf(err)
	status.Kind, status.APIVersion = "Status", "v1"
	a := Answer{Code: int(status.Code), Body: encode(status)}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		a.Header = http.Header{"Retry-After": {strconv.Itoa(int(d.RetryAfterSeconds))}}
	}
	return a
}

// faults wraps what a call does into what the hooks want.
func (s *Server) faults(ctx context.Context, call Call, do func() Answer) Answer {
	s.mu.Lock()
	hooks := s.hooks
	s.mu.Unlock()
	if len(hooks) == 0 {
		return do()
	}
	var done *Answer
	next := func() Answer {
		if done == nil {
			a := do()
			done = &a
		}
		return *done
	}
	var faults []Fault
	for _, hook := range hooks {
		if f := (*hook)(call); f != nil {
			faults = append(faults, f)
		}
	}
	for _, f := range slices.Backward(faults) {
		inner := next
		next = func() Answer { return f(ctx, call, inner) }
	}
	return next()
}
