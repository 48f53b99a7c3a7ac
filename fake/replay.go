package fake

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// replay is a body of which what was read is kept, so that another try can read
// it again.
type replay struct {
	source io.ReadCloser

	mu   sync.Mutex
	kept []byte
	err  error // the end of source
	lost bool  // more was read than is kept
	turn int   // of the reader that may read
}

// newReplay returns nil for no body.
func newReplay(body io.ReadCloser) *replay {
	if body == nil || body == http.NoBody {
		return nil
	}
	return &replay{source: body}
}

// whole reports whether the body can be read once more. A nil replay can.
func (p *replay) whole() bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.lost
}

// next returns a reader from the beginning, and ends the one before it.
func (p *replay) next() io.ReadCloser {
	if p == nil {
		return http.NoBody
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	return &replayed{of: p, turn: p.turn}
}

type replayed struct {
	of       *replay
	turn, at int
}

var errNextTry = errors.New("fake: the request is being tried again")

// Read reads what was kept first, then the source.
func (r *replayed) Read(b []byte) (int, error) {
	p := r.of
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.turn != p.turn:
		return 0, errNextTry
	case r.at < len(p.kept) && !p.lost:
		n := copy(b, p.kept[r.at:])
		r.at += n
		return n, nil
	case p.err != nil:
		return 0, p.err
	}
	n, err := p.source.Read(b)
	if p.err = err; len(p.kept)+n > maxKept {
		p.lost, p.kept = true, nil
	} else if !p.lost {
		p.kept = append(p.kept, b[:n]...)
	}
	r.at += n
	return n, err
}

// Close does nothing: the server closes the body of a request.
func (r *replayed) Close() error { return nil }
