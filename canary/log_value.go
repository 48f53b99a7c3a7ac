package canary

import (
	"log/slog"
	"time"
)

var (
	_ slog.LogValuer = Event{}
	_ slog.LogValuer = State{}
)

// LogValue implements [slog.LogValuer]: one group that says where the rollout is and why.
// Empty attributes are left out.
func (e Event) LogValue() slog.Value {
	all := append(e.After.attrs(), slog.String("cause", e.Reason.Cause.String()))
	all = appendText(all, "detail", e.Reason.Detail)
	if !e.Reason.Until.IsZero() {
		all = append(all, slog.Time("until", e.Reason.Until))
	}
	if e.Traffic != e.After.Traffic {
		all = append(all, slog.String("found", e.Traffic.String()))
	}
	if e.Wrote {
		all = append(all, slog.Bool("wrote", true))
	}
	if e.Done {
		all = append(all, slog.Bool("done", true))
	}
	if e.Wait > 0 {
		all = append(all, slog.Duration("wait", e.Wait.Round(time.Millisecond)))
	}
	if e.Missed > 0 {
		all = append(all, slog.Int("missed", e.Missed))
	}
	all = appendText(all, "warning", e.Warning)
	if e.Err != nil {
		all = append(all, slog.String("error", oneLine(e.Err.Error())))
	}
	return slog.GroupValue(all...)
}

// LogValue implements [slog.LogValuer]: one group that says which rollout it is and
// where.
func (s State) LogValue() slog.Value {
	return slog.GroupValue(appendText(s.attrs(), "reason", s.Reason)...)
}

func (s State) attrs() []slog.Attr {
	var all []slog.Attr
	all = appendText(all, "plan", s.Name)
	all = appendText(all, "revision", s.Revision)
	return append(all, slog.String("phase", s.Phase.String()), slog.Int("step", s.Step+1), slog.String("traffic", s.Traffic.String()))
}

func appendText(all []slog.Attr, key, text string) []slog.Attr {
	if text == "" {
		return all
	}
	return append(all, slog.String(key, oneLine(text)))
}
