package canarytest

import (
	"context"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
)

// Verifier is a canary.Verifier that answers by a script. The zero value answers Yes.
// It is safe for concurrent use; set the Script before that.
type Verifier struct {
	// Script is the answers in their order. When it is used up, the last one is
	// repeated.
	Script []canary.Answer
	// Err, if it is set, is returned instead of an answer.
	Err error

	mu    sync.Mutex
	asked []canary.Traffic
}

// Verify implements canary.Verifier.
func (v *Verifier) Verify(ctx context.Context, t canary.Traffic, _ time.Time) (canary.Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, t)
	if err := ctx.Err(); err != nil {
		return canary.Answer{}, err
	}
	if v.Err != nil {
		return canary.Answer{}, v.Err
	}
	return scripted(v.Script, len(v.asked)), nil
}

// Asked returns the traffic of each question so far.
func (v *Verifier) Asked() []canary.Traffic {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]canary.Traffic(nil), v.asked...)
}

// scripted is the answer to the n'th question, counted from one.
func scripted(script []canary.Answer, n int) canary.Answer {
	if len(script) == 0 {
		return canary.Answer{Reply: canary.Yes}
	}
	return script[min(n, len(script))-1]
}
