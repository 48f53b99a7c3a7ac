// Package metrics reads what a service mesh has counted.
package metrics

import (
	"context"
	"time"
)

// Window is the time in which requests are counted: after From, up to and
// including To.
type Window struct {
	From, To time.Time
}

// Counts is how many requests there were and how many of them were bad. Counts
// are increments of counters; they need not be whole numbers.
type Counts struct {
	Total, Bad float64
}

// Provider reads counts from wherever a mesh keeps them. Implementations are
// safe for concurrent use.
type Provider interface {
	Counts(ctx context.Context, q Query, w Window) (Counts, error)
}

// Query says which requests to count and which of them are bad.
type Query struct{}
