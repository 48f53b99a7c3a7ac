package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Body is a body of which what was read is kept, so that another try can read
// it again. A nil Body is none.
type Body struct {
	source io.ReadCloser

	mu      sync.Mutex
	kept    []byte
	err     error         // the end of source
	lost    bool          // more was read than is kept
	turn    int           // of the reader that may read
	reading chan struct{} // closed at the end of the read of source under way, nil if there is none
}

// maxKept is the size of the largest body that is kept, in bytes.
const maxKept = 1 << 20

// NewBody returns nil for no body.
func NewBody(body io.ReadCloser) *Body {
	if body == http.NoBody {
		return nil
	}
	return &Body{source: body}
}

// End ends the reader of this try, and reports whether another try can read the
// whole body.
func (p *Body) End() (whole bool) {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	return !p.lost
}

// Next returns a reader from the beginning, and ends the one before it.
func (p *Body) Next() io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	return &replayed{of: p, turn: p.turn}
}

// pull reads from source, without the lock, and keeps it. A reader whose turn
// ends meanwhile loses nothing: the next one finds what came.
func (p *Body) pull(b []byte, turn int) (int, error) {
	p.reading = make(chan struct{})
	p.mu.Unlock()
	n, err := p.source.Read(b)
	p.mu.Lock()
	close(p.reading)
	p.reading = nil
	p.err = err
	if turn == p.turn && len(p.kept)+n > maxKept {
		p.lost, p.kept = true, nil
	}
	if !p.lost {
		p.kept = append(p.kept, b[:n]...)
	}
	return n, err
}

// All waits for the whole body, for a limited time; 0 is without limit. It reports
// whether it came, and is not too large to be kept.
func (p *Body) All(ctx context.Context, limit time.Duration) (body []byte, whole bool) {
	if p == nil {
		return nil, true
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.fill()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept, p.err == io.EOF && len(p.kept) <= maxKept
}

// fill reads ahead, until it is the turn of the first reader.
func (p *Body) fill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := make([]byte, maxPull)
	for p.turn == 0 && p.err == nil && len(p.kept) <= maxKept {
		p.pull(b, noTurn)
	}
}

type replayed struct {
	of       *Body
	turn, at int
}

var errNextTry = errors.New("fake: the request is being tried again")

// noTurn is that of a reader which the next one follows without a loss.
const noTurn = -1

// maxPull is how much is read from a source at once, in bytes.
const maxPull = 32 << 10

// Read reads what was kept first, then the source.
func (r *replayed) Read(b []byte) (int, error) {
	p := r.of
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch under := p.reading; {
		case r.turn != p.turn:
			return 0, errNextTry
		case r.at < len(p.kept):
			n := copy(b, p.kept[r.at:])
			r.at += n
			return n, nil
		case under != nil:
			p.mu.Unlock()
			<-under
			p.mu.Lock()
		case p.err != nil:
			return 0, p.err
		default:
			n, err := p.pull(b[:min(len(b), maxPull)], r.turn)
			r.at += n
			if r.turn != p.turn {
				return 0, errNextTry
			}
			return n, err
		}
	}
}

// Close does nothing: the server closes the body of a request.
func (r *replayed) Close() error { return nil }
