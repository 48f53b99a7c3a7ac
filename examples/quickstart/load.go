package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// load is a steady stream of real requests, and what became of them.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	codes map[int]int // 0 is no answer at all
}

// startLoad sends requests to the gateway until stop is called.
func startLoad(gateway string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, codes: map[int]int{}}
	const clients = 8
	for range clients {
		l.done.Go(func() {
			tick := time.NewTicker(time.Second * clients / requestsPerSecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					l.count(request(gateway))
				}
			}
		})
	}
	return l
}

// request returns the status of one answer. It is not cut short when the load
// stops, so that no request is lost by that.
func request(gateway string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+"/reviews/1", nil)
	if err != nil {
		return 0
	}
	r.Host = "reviews.example.com"
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0
	}
	return answer.StatusCode
}

func (l *load) count(code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes[code]++
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

// broken is how many requests the mesh did not get to a version.
func (l *load) broken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codes[0] + l.codes[http.StatusNotFound] + l.codes[http.StatusServiceUnavailable]
}

// String sums up what the clients saw.
func (l *load) String() string {
	l.mu.Lock()
	total := 0
	for _, n := range l.codes {
		total += n
	}
	failed := l.codes[http.StatusInternalServerError]
	l.mu.Unlock()
	return fmt.Sprintf("%d live requests: %d failed in a version, %d on a broken route", total, failed, l.broken())
}
