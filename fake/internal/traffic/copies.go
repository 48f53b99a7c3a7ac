package traffic

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/serin-go/serin/fake/internal/relay"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// mirror sends the copies off, as soon as the whole body is there.
func (p *passage) mirror(r *http.Request) {
	body, whole := p.body.All(r.Context(), p.flow.a.Timeout)
	if !whole {
		return
	}
	for _, to := range p.copies {
		c := p.forward(r, 1).WithContext(context.WithoutCancel(r.Context()))
		c.Body = io.NopCloser(bytes.NewReader(body))
		select {
		case p.net.copies <- struct{}{}:
			p.net.running.Start(func() {
				defer func() { <-p.net.copies }()
				p.copy(to, c)
			})
		default: // too many are under way
		}
	}
}

// copy lets a handler answer a copy, and counts how.
func (p *passage) copy(to answerer, r *http.Request) {
	answer := relay.Discard()
	began := time.Now()
	ended, late := answer.Within(p.flow.a.Timeout, to.handler, r, p.net.running)
	answer.Cut()
	code, flags := answer.Code(), ""
	switch {
	case late:
		code, flags = 0, "DC"
	case !ended:
		code, flags = http.StatusServiceUnavailable, "UC"
	}
	p.locked(func(f *flow) { f.count(telemetry.ByDestination, to.ID, 1, code, flags, since(began)) })
}
