package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

const legend = "the bar is v2's share of live requests, dots are copies to v2; numbers are failed/all requests since the step began"

// screen prints a line for every turn.
type screen struct {
	out    io.Writer
	plan   canary.Plan
	began  time.Time
	colour bool
}

func newScreen(out io.Writer, p canary.Plan) *screen {
	s := &screen{out: out, plan: p, began: time.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		s.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

func (s *screen) show(_ context.Context, e canary.Event) {
	now := e.After.Traffic
	fmt.Fprintf(s.out, "%6.1fs  %-15s %s %4v  %s  %s\n",
		e.At.Sub(s.began).Seconds(), s.place(e.After), s.bar(now), now.Canary, s.verdict(e), s.why(e))
}

// why is the reason of the turn, without the numbers that stand beside it.
func (s *screen) why(e canary.Event) string {
	reason := e.Reason
	switch {
	case e.Err != nil:
		return s.paint(red, "error: "+e.Err.Error())
	case reason.Cause == cause.TurnedBack:
		return s.paint(red, reason.String())
	case e.After.Phase.Final():
		return s.paint(bold, "done")
	case e.Wrote && e.Judged && e.Before.Phase == phase.Progressing:
		return s.paint(bold, "on to "+s.place(e.After))
	case e.Wrote:
		return s.paint(bold, reason.Detail)
	}
	if reason.Cause == cause.Hold && e.Judged {
		reason.Detail = ""
	}
	return reason.String()
}

// place is the name of the step, or of the phase.
func (s *screen) place(state canary.State) string {
	if state.Phase == phase.Progressing {
		for i, step := range s.plan.Steps() {
			if i == state.Step {
				return step.Name
			}
		}
	}
	return state.Phase.String()
}

// bar draws the canary's share; dots are requests that are mirrored to it.
func (s *screen) bar(t canary.Traffic) string {
	const width = 20
	full := int(t.Canary * width / canary.Full)
	rest := "░"
	if t.Mirror > 0 {
		rest = "·"
	}
	return s.paint(yellow, strings.Repeat("█", full)) + strings.Repeat(rest, width-full)
}

// verdict puts the judge's numbers into a column of their own.
func (s *screen) verdict(e canary.Event) string {
	if !e.Judged || e.JudgeErr != nil {
		return strings.Repeat(" ", 61)
	}
	var values []string
	seen := map[string]bool{}
	for _, v := range e.Result.Values {
		if text := v.String(); !seen[text] {
			seen[text] = true
			values = append(values, text)
		}
	}
	colour := map[analysis.Verdict]string{analysis.Pass: green, analysis.Fail: red}[e.Result.Verdict]
	return fmt.Sprintf("%-48s %s", strings.Join(values, "  "), s.paint(colour, fmt.Sprintf("%-12v", e.Result.Verdict)))
}

// The escape codes of a terminal.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return colour + text + plain
}
