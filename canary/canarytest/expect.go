package canarytest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/serin-go/serin/canary"
)

// rewrite reads and writes, when nobody else does.
func rewrite(ctx context.Context, r canary.Router, t canary.Traffic, s canary.State) error {
	reading, err := r.Read(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if err := r.Write(ctx, reading, t, s); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// passOn writes by one Router what the other must read.
func passOn(ctx context.Context, from, to canary.Router, t canary.Traffic, s canary.State) error {
	if err := rewrite(ctx, from, t, s); err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	return expect(ctx, to, t, s)
}

// expect reads and compares.
func expect(ctx context.Context, r canary.Router, t canary.Traffic, s canary.State) error {
	reading, err := r.Read(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if reading.Traffic != t {
		return fmt.Errorf("traffic is %v, want %v", reading.Traffic, t)
	}
	got, err := json.Marshal(reading.State)
	if err != nil {
		return err
	}
	want, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("state is %s, want %s", got, want)
	}
	return nil
}
