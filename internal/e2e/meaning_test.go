package e2e_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/plane"
)

var (
	meaningSeed = flag.Uint64("meaning.seed", 1, "seed of the generated rule sets")
	meaningSets = flag.Int("meaning.sets", 150, "number of generated rule sets")
)

// enough sets that differ are told in full.
const enough = 5

func TestWhateverTheRulesTheFakeMeshChoosesAsIstiodTellsEnvoy(t *testing.T) {
	p := controlPlane(t)
	m := generate(*meaningSeed, *meaningSets, [3]string{p.Namespace(t), p.Namespace(t), p.Namespace(t)})
	t.Logf("-meaning.seed %d -meaning.sets %d", *meaningSeed, *meaningSets)
	begin := time.Now()
	watches := m.tell(t, p)
	t.Logf("istiod told all after %.1f s", time.Since(begin).Seconds())
	begin = time.Now()
	answers, problems := m.simulate(t)
	t.Logf("the fake mesh answered after %.1f s", time.Since(begin).Seconds())
	assert.Empty(t, problems)
	differing := map[int]int{} // requests by set
	kinds := map[string]int{}  // requests by what becomes of them
	for i, q := range m.questions {
		want, err := q.expected(watches[q.caller].Config())
		require.NoError(t, err, "%v", q)
		for _, kind := range kindsOf(want) {
			kinds[kind]++
		}
		difference := differs(want, answers[i])
		if difference == "" {
			continue
		}
		if differing[q.set]++; differing[q.set] == 1 && len(differing) <= enough {
			t.Errorf("%v\n%s%s", q, difference, m.sets[q.set])
		}
	}
	t.Logf("%d requests, of these %v", len(m.questions), kinds)
	require.Empty(t, differing, "the fake differs in these sets, for so many requests")
}

// tell makes the objects known to istiod, and returns what callers are told when
// they are told everything. They ask when all is there, since istiod would tell
// them everything again and again.
func (m *meaning) tell(t *testing.T, p *plane.Plane) map[string]*envoy.Watch {
	m.older.create(t, p.Config())
	// Ages are compared by the second.
	begin := time.Now().Unix()
	require.Eventually(t, func() bool { return time.Now().Unix() > begin }, 2*time.Second, 10*time.Millisecond)
	m.younger.create(t, p.Config())
	m.last.create(t, p.Config())
	watches := map[string]*envoy.Watch{}
	for name, c := range m.callers {
		w, err := envoy.NewWatch(p.XDS(), c.node)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, w.Close()) })
		watches[name] = w
	}
	for name, w := range watches {
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			require.Empty(t, m.missing(w.Config(), m.callers[name]))
		}, time.Minute, 20*time.Millisecond, name)
	}
	return watches
}

// simulate returns what becomes of each question in the fake mesh, and what that
// did not understand.
func (m *meaning) simulate(t *testing.T) (answers []fake.Result, problems []error) {
	answers = make([]fake.Result, len(m.questions))
	synctest.Test(t, func(t *testing.T) {
		server := apiserver.New()
		server.ValidateIstio()
		require.NoError(t, server.Load(m.older.documents()))
		time.Sleep(2 * time.Second)
		require.NoError(t, server.Load(m.younger.documents()))
		mesh := fake.NewMesh(server, fake.Config{Seed: *meaningSeed})
		problems = mesh.Problems()
		for i, q := range m.questions {
			answers[i] = mesh.Send(sent, q.request)
		}
	})
	return answers, problems
}

// question is a request by one of the callers.
type question struct {
	set     int
	caller  string
	port    uint32 // that is dialled
	request fake.Request
}

func (q question) String() string {
	r := q.request
	return fmt.Sprintf("set %d, %s, port %d: %s %s%s %v", q.set, q.caller, q.port, r.Method, r.Host, r.Path, r.Headers)
}

// shares are those of the requests that go to each workload, or that Envoy answers
// by itself.
type shares map[string]float64

// expected returns what Envoy does by its configuration: what becomes of the
// requests, and then of the copies for each mirror.
func (q question) expected(c *envoy.Config) ([]shares, error) {
	r := httptest.NewRequest(q.request.Method, q.request.Path, nil)
	r.Host = q.request.Host
	r.URL.Scheme = q.request.Scheme
	for name, value := range q.request.Headers {
		r.Header.Set(name, value)
	}
	choice, err := c.Choose(q.port, r)
	if err != nil {
		return nil, err
	}
	if choice.Status != 0 {
		return []shares{{fate("", choice.Status, "", false): 1}}, nil
	}
	var sum, reached float64
	for _, to := range choice.Clusters {
		sum += float64(to.Weight)
	}
	all := []shares{{}}
	for _, to := range choice.Clusters {
		if spread(all[0], c, to.Cluster, float64(to.Weight)/sum, false) {
			reached += float64(to.Weight) / sum
		}
	}
	for _, to := range choice.Mirrors {
		copies := shares{}
		spread(copies, c, to.Cluster, reached*float64(to.Weight)/1e6, true)
		all = append(all, copies)
	}
	return all, nil
}

// spread divides a share among the pods of a cluster, and reports whether there
// are any. Copies that find none are gone.
func spread(to shares, c *envoy.Config, cluster string, share float64, mirrored bool) bool {
	pods, ok := c.Endpoints(cluster)
	trouble := ""
	switch {
	case strings.HasPrefix(cluster, "Passthrough"): // to who is not in the mesh
		trouble = fate("", http.StatusNotFound, "NR", false)
	case !ok:
		trouble = fate("", http.StatusServiceUnavailable, "NC", false)
	case len(pods) == 0:
		trouble = fate("", http.StatusServiceUnavailable, "UH", false)
	}
	if trouble != "" {
		if !mirrored {
			to[trouble] += share
		}
		return false
	}
	for _, pod := range pods {
		to[fate(pod.Workload, http.StatusOK, "", mirrored)] += share / float64(len(pods))
	}
	return true
}

// fate names what becomes of a request.
func fate(workload string, status int, flags string, mirrored bool) string {
	switch {
	case mirrored:
		return "copy to " + workload
	case workload != "":
		return workload
	case flags == "NR":
		flags = "" // Envoy's answer has no other 404
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, flags))
}
