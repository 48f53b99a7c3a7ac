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

// ErrLost is returned by a client of [Server.Config] when the answer is lost, wrapped in
// a *url.Error. Behind a listener, the connection is dropped instead.
var ErrLost = errors.New("apiserver: connection lost")

// Call is one request as a hook sees it, before it has any effect.
type Call struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Resource is "virtualservices.networking.istio.io", "pods" and so on.
	Resource string
	// Namespace and Name are empty if the request has none. In a create request, the name
	// is in the Body.
	Namespace, Name string
	// Subresource is "status", "scale" or empty.
	Subresource string
	// Body is the document or the patch in the request. Do not change it.
	Body []byte

	target
}

// Answer is the server's answer to one request.
type Answer struct {
	// Code is the HTTP status; 0 means 200.
	Code int
	// Header may be nil. The content type is always JSON.
	Header http.Header
	// Body is the JSON document of the answer. Do not change it.
	Body []byte
	// Lost says that the connection is dropped instead of answering.
	Lost bool

	// stream is set for a watch. It writes until the context ends or the watch ends.
	stream func(ctx context.Context, w flusher)
}

// Fault stands between a request and its effect. It may call do before or after other
// things, or answer without calling do. Only the first call of do has an effect; later
// calls return the same Answer. A Fault should return when ctx ends. A nil Fault changes
// nothing.
type Fault func(ctx context.Context, call Call, do func() Answer) Answer

// Hook registers a function to call for each later request. The function returns the
// Fault for that request. If several hooks return a Fault, the first hook's Fault is the
// outermost. Hook returns a function that removes the hook. A hook is called without any
// lock, may run on several goroutines at once, and may use the server.
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

// Refuse answers an error without any effect. A status error of apimachinery is answered
// as it is, any other error as 500. If the status has the code 429 or 5xx and says after
// how many seconds to retry, client-go repeats the request up to ten times. Its caller
// then notices only a delay.
func Refuse(err error) Fault {
	return func(context.Context, Call, func() Answer) Answer { return failure(err) }
}

// After returns a fault that lets the request have its effect and then answers as f does:
// the client sees an error although the write happened.
func After(f Fault) Fault {
	return func(ctx context.Context, call Call, do func() Answer) Answer {
		do()
		return f(ctx, call, do)
	}
}

// Delay waits for d before the fault, or before the request's effect if f is nil. If ctx
// ends first, the request is lost without any effect.
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

// Lose drops the request without any effect. The client gets [ErrLost].
func Lose() Fault {
	return func(context.Context, Call, func() Answer) Answer { return Answer{Lost: true} }
}

// LoseAnswer lets the request have its effect, but the client gets [ErrLost].
func LoseAnswer() Fault { return After(Lose()) }

// Hang does nothing until ctx ends, so the client needs a context that ends.
// After(Hang()) lets the request have its effect first.
func Hang() Fault {
	return func(ctx context.Context, _ Call, _ func() Answer) Answer {
		<-ctx.Done()
		return Answer{Lost: true}
	}
}

// Conflict answers 409, as if somebody else had changed the object.
func Conflict() Fault {
	return func(_ context.Context, call Call, _ func() Answer) Answer {
		return failure(apierrors.NewConflict(call.res.groupResource(), call.Name, errors.New(modified)))
	}
}

// TooManyRequests answers 429. A real server always says after how many seconds to retry.
// client-go then waits and retries by itself (see [Refuse]). With 0 seconds client-go
// does not retry, and the caller gets an error for which apierrors.IsTooManyRequests is
// true.
func TooManyRequests(seconds int) Fault {
	return Refuse(apierrors.NewTooManyRequests("the server is overloaded", seconds))
}

// ServerError answers 500.
func ServerError() Fault { return Refuse(apierrors.NewInternalError(errors.New("injected fault"))) }

// Timeout answers 504, as a real server does if a request takes too long. Use
// After(Timeout()) for a request that has its effect nevertheless.
func Timeout() Fault {
	return Refuse(apierrors.NewTimeoutError("request did not complete within requested timeout", 0))
}

// Stale answers a get with an older version of the object: the one that many versions
// ago, or the oldest known one. A server behind a lagging cache does the same. Other
// verbs, and objects that do not exist, are answered as usual.
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

// failure returns the answer for an error.
func failure(err error) Answer {
	status := statusOf(err)
	status.Kind, status.APIVersion = "Status", "v1"
	a := Answer{Code: int(status.Code), Body: encode(status)}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		a.Header = http.Header{"Retry-After": {strconv.Itoa(int(d.RetryAfterSeconds))}}
	}
	return a
}

// faults applies the faults of the hooks to a call.
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
