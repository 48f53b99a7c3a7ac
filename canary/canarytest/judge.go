package canarytest

import (
	"context"
	"sync"
	"time"

	"github.com/serin-go/serin/analysis"
)

// Judge is an analysis.Analyzer that answers by a script. The zero value passes
// everything. It is safe for concurrent use.
type Judge struct {
	// Script is the results in their order; when it is used up, the last one is
	// repeated.
	Script []Ruling

	mu    sync.Mutex
	asked []analysis.Request
}

// Ruling is one answer of a Judge.
type Ruling struct {
	Verdict            analysis.Verdict
	Blindness          analysis.Blindness
	Doubt, StableWorse bool
	Reason             string
	After              time.Duration
	Carry              []byte
	Err                error
}

// Analyze implements analysis.Analyzer.
func (j *Judge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	turn := len(j.asked)
	j.asked = append(j.asked, r)
	if err := ctx.Err(); err != nil {
		return analysis.Result{}, err
	}
	if len(j.Script) == 0 {
		return analysis.Result{Verdict: analysis.Pass, Reason: "the script is empty"}, nil
	}
	ruling := j.Script[min(turn, len(j.Script)-1)]
	if ruling.Err != nil {
		return analysis.Result{}, ruling.Err
	}
	return analysis.Result{Verdict: ruling.Verdict, Blindness: ruling.Blindness, Doubt: ruling.Doubt, StableWorse: ruling.StableWorse, Reason: ruling.Reason, After: ruling.After, Carry: ruling.Carry}, nil
}

// Asked returns what the judge was asked so far.
func (j *Judge) Asked() []analysis.Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]analysis.Request(nil), j.asked...)
}
