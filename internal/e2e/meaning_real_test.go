package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// real asks Envoys.
type real struct {
	*witness
	callers map[string]caller
	clients map[string]*http.Transport
	asked   int
	logged  atomic.Int64
}

func newReal(p *plane.Plane, m *meaning) *real {
	r := &real{witness: newWitness(), callers: m.callers, clients: map[string]*http.Transport{}}
	for _, namespace := range []string{m.near, m.far} {
		for _, image := range m.images() {
			p.Serve(namespace, image, envoy.App(p, r.pod(image), 80, 9080))
		}
	}
	for name, c := range m.callers {
		p.Serve(c.Namespace, c.Workload, envoy.Proxy{Plane: p, Gateway: c.Gateway != "", Log: func(e envoy.Entry) { r.log(c, e) }}.Run)
		r.clients[name] = traffic.Through(p, c.Namespace, c.Workload)
	}
	return r
}

// log notes what the proxy of a caller says of a request.
func (r *real) log(c caller, e envoy.Entry) {
	if e.UserAgent == probe {
		return
	}
	workload, _, _ := strings.Cut(e.Workload, ";")
	became := fate(c.Source, workload, e.Code, e.Flags)
	if e.Cluster == "PassthroughCluster" {
		became = nowhere
	}
	r.note(e.UserAgent, became)
	r.logged.Add(1)
}

// ask asks all questions so many times, and returns what was seen of each when
// nothing is under way any more.
func (r *real) ask(t *testing.T, questions []question, times int) []sample {
	const together = 64 // as some pods are slow
	before := r.logged.Load()
	next := make(chan [2]int)
	var askers sync.WaitGroup
	for range together {
		askers.Go(func() {
			for n := range next {
				q, id := questions[n[0]], identify(n[0], n[1])
				code, header, err := r.send(q, id)
				if err != nil {
					t.Errorf("%v: %v", q, err)
					continue
				}
				r.answered(id, code, header)
			}
		})
	}
	for i := range questions {
		for n := range times {
			next <- [2]int{i, n}
		}
	}
	close(next)
	askers.Wait()
	r.asked += len(questions) * times
	all := int64(len(questions) * times)
	if !poll(t, func() bool { return r.logged.Load() == before+all }) {
		require.Equal(t, all, r.logged.Load()-before, "lines in the access logs")
	}
	require.Eventually(t, func() bool { return r.idle(t) }, time.Minute, 10*time.Millisecond, "copies are under way")
	seen := make([]sample, len(questions))
	for i := range questions {
		for n := range times {
			seen[i].add(r.take(identify(i, n)))
		}
	}
	return seen
}

func (r *real) send(q question, id string) (code int, h http.Header, err error) {
	request, err := http.NewRequest(q.request.Method, "http://proxy:"+strconv.Itoa(int(q.port))+q.request.Path, nil)
	if err != nil {
		return 0, nil, err
	}
	q.dress(request, id)
	answer, err := r.clients[q.caller].RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Header, err
}

// idle reports whether no proxy waits for a pod.
func (r *real) idle(t *testing.T) bool {
	for _, client := range r.clients {
		stats, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://proxy:%d/stats?usedonly&filter=upstream_rq(_pending)?_active", envoy.AdminPort), nil)
		require.NoError(t, err)
		answer, err := client.RoundTrip(stats)
		require.NoError(t, err)
		defer answer.Body.Close()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if !strings.HasPrefix(lines.Text(), "cluster.istiod.") && !strings.HasSuffix(lines.Text(), ": 0") {
				return false
			}
		}
	}
	return true
}

// probe is the id of requests that nobody asks about.
const probe = "probe"

// reaches reports whether a pod answers.
func (r *real) reaches(q question) bool {
	code, h, err := r.send(q, probe)
	defer r.take(probe)
	return err == nil && code == http.StatusOK && h.Get(workloadHeader) != ""
}
