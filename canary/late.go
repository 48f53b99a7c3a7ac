package canary

import (
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/phase"
)

// entry is that of a rollout into a step.
type entry struct {
	step int
	at   int64 // in milliseconds
}

// late returns, once for each step that is entered, that it is unlikely to pass before its deadline.
func (m *memory) late(p *spec, e *Event) string {
	s := &e.After
	if s.Phase != phase.Progressing || s.Plan != p.digest || s.Step >= len(p.steps) || !s.Paused.IsZero() {
		return ""
	}
	step, now := &p.steps[s.Step], entry{s.Step, s.Entered.UnixMilli()}
	deadline := s.Entered.Add(step.Deadline + s.PausedFor)
	inTime := step.Deadline == 0 || !e.At.Add(e.Result.After).After(deadline)
	if step.Requires != Pass || !e.Judged || e.Result.Verdict != analysis.Inconclusive || inTime {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.toldLate == now {
		return ""
	}
	m.toldLate = now
	return fmt.Sprintf("step %q is unlikely to pass before its deadline at %s: it needs about %v more at the present traffic",
		step.Name, deadline.UTC().Format(time.RFC3339), about(e.Result.After))
}
