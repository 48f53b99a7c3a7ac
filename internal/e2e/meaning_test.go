package e2e_test

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/internal/e2e/plane"
)

var (
	meaningSeed = flag.Uint64("meaning.seed", 8, "seed of the generated rule sets")
	meaningSets = flag.Int("meaning.sets", 150, "number of generated rule sets")
)

// enough sets that differ are told in full.
const enough = 8

// Both are asked the same: a real Envoy for each caller, told by istiod, and the
// fake mesh. What differs is asked again and again until it is no luck of the draw.
func TestWhateverTheRulesTheFakeMeshDoesAsEnvoyDoes(t *testing.T) {
	const few, many = 24, 600
	p := controlPlane(t)
	m := generate(*meaningSeed, *meaningSets, [3]string{p.Namespace(t), p.Namespace(t), p.Namespace(t)})
	t.Logf("-meaning.seed %d -meaning.sets %d", *meaningSeed, *meaningSets)
	begin := time.Now()
	real := m.tell(t, p)
	t.Logf("Envoy was told all after %.1f s", time.Since(begin).Seconds())
	begin = time.Now()
	seen := real.ask(t, m.questions, few)
	t.Logf("%d requests: Envoy had answered after %.1f s", real.asked, time.Since(begin).Seconds())
	begin = time.Now()
	want := m.simulate(t, m.questions, 3*few)
	t.Logf("and the fake mesh after %.1f s", time.Since(begin).Seconds())

	shown := kinds(want)
	var doubtful []question
	luck, sums := &fit{}, pools{}
	for i, q := range m.questions {
		luck.add(seen[i], want[i])
		sums.add(seen[i], want[i])
		if len(differences(seen[i], want[i], doubt)) > 0 {
			doubtful = append(doubtful, q)
		}
	}
	seen, want = real.ask(t, doubtful, many), m.simulate(t, doubtful, many)
	differing := map[int]int{} // questions by set
	for i, q := range doubtful {
		d := differences(seen[i], want[i], certainty)
		if len(d) == 0 {
			continue
		}
		if differing[q.set]++; differing[q.set] == 1 && len(differing) <= enough {
			t.Errorf("%v\n%s\n%s", q, strings.Join(d, "\n"), m.sets[q.set])
		}
	}
	t.Logf("%d questions, %d of them asked again; %d requests to Envoy; %v; %v", len(m.questions), len(doubtful), real.asked, shown, luck)
	require.Empty(t, differing, "the fake differs in these sets, for so many questions")
	require.True(t, luck.good(), luck)
	require.Empty(t, sums.far())
	for _, kind := range []string{
		"200 -", "200 DI", "301 -", "4.. -", "4.. FI", "4.. NR", "503 NC", "503 UH", "503 UF", "503 URX", "503 URX,UF", "504 UT",
		"divided", "copied or repeated", "by Send alone", nowhere,
	} {
		require.NotZero(t, shown[kind], "no question is about %q", kind)
	}
	for _, c := range m.callers {
		require.Empty(t, p.Refusals(c.Namespace))
	}
}

// tell makes the objects known to istiod, and then starts the callers. It returns
// when they know everything.
func (m *meaning) tell(t *testing.T, p *plane.Plane) *real {
	r := newReal(p, m)
	m.older.create(t, p.Config())
	// Ages are compared by the second.
	begin := time.Now().Unix()
	require.Eventually(t, func() bool { return time.Now().Unix() > begin }, 2*time.Second, 10*time.Millisecond)
	m.younger.create(t, p.Config())
	m.awaitEndpoints(t)
	m.last.create(t, p.Config())
	m.proxies.create(t, p.Config())
	for name, c := range m.callers {
		for _, port := range c.ports {
			host := sentinel + ".example.com"
			if c.Gateway == "" {
				host = sentinel + "." + m.near + ".svc.cluster.local"
			}
			q := question{caller: name, port: port, request: fake.Request{Host: host, From: c.Source}}
			require.Eventually(t, func() bool { return r.reaches(q) }, time.Minute, 20*time.Millisecond, "%s on port %d", name, port)
		}
	}
	return r
}

// awaitEndpoints waits until the pods of all services are known, so that the
// endpoints of the sentinel are what istiod hears of last.
func (m *meaning) awaitEndpoints(t *testing.T) {
	want := map[string]int{}
	for _, s := range m.services {
		if s.name != sentinel {
			want[s.namespace+"/"+s.name] = s.pods
		}
	}
	awaitEndpoints(t, want, m.near, m.far, m.wild)
}

// awaitEndpoints waits until Services have so many ready pods; they are named
// namespace/name.
func awaitEndpoints(t *testing.T, want map[string]int, namespaces ...string) {
	_, kube := clients(t)
	require.Eventually(t, func() bool {
		ready := map[string]int{}
		for _, namespace := range namespaces {
			all, err := kube.DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				return false
			}
			for _, s := range all.Items {
				for _, e := range s.Endpoints {
					if e.Conditions.Ready != nil && *e.Conditions.Ready {
						ready[namespace+"/"+s.Labels["kubernetes.io/service-name"]]++
					}
				}
			}
		}
		for name, pods := range want {
			if ready[name] != pods {
				return false
			}
		}
		return true
	}, 2*time.Minute, 100*time.Millisecond)
}

// simulate asks the fake mesh: by real requests, so many times, and in a crowd.
func (m *meaning) simulate(t *testing.T, questions []question, times int) []sample {
	answers := make([]sample, len(questions))
	synctest.Test(t, func(t *testing.T) {
		server := apiserver.New()
		server.ValidateIstio()
		require.NoError(t, server.Load(m.older.documents()))
		time.Sleep(2 * time.Second)
		require.NoError(t, server.Load(m.younger.documents()))
		mesh := fake.NewMesh(server, fake.Config{Seed: *meaningSeed, Versions: behaviours})
		require.Empty(t, mesh.Problems())
		mesh.Crash(m.near, silent, true)
		w := newWitness()
		for _, image := range m.images() {
			mesh.Handle(image, w.pod(image))
		}
		for i, q := range questions {
			answers[i] = m.imagine(mesh, w, q, i, times)
		}
	})
	return answers
}

// crowd is how often each question is asked in the fake mesh at once.
const crowd = 1_000_000

func (m *meaning) imagine(mesh *fake.Mesh, w *witness, q question, number, times int) sample {
	o := sample{}
	entry := mesh.Entry(q.request.From)
	if !q.first {
		times = 0
	}
	for n := range times {
		id := identify(number, n)
		request, answer := httptest.NewRequest(q.request.Method, q.request.Path, nil), httptest.NewRecorder()
		q.dress(request, id)
		entry.ServeHTTP(answer, request)
		mesh.Wait()
		w.answered(id, answer.Code, answer.Header())
		if answer.Code == http.StatusNotFound && q.request.From.Gateway == "" {
			w.note(id, nowhere)
		}
		o.add(w.take(id))
	}
	o.fates = map[string]float64{}
	for _, c := range mesh.Send(crowd, q.request) {
		if c.Workload == hangingUp {
			o.fates = nil // a Behaviour does not hang up
			break
		}
		if !c.Mirrored {
			o.fates[fate(q.request.From, c.Workload, c.Code, c.Flags)] += float64(c.N) / crowd
		}
	}
	return o
}

// question is a request by one of the callers.
type question struct {
	set     int
	caller  string
	port    uint32 // that is dialled
	first   bool   // it is the one that Mesh.Entry dials
	request fake.Request
}

// dress makes a request that of the question.
func (q question) dress(r *http.Request, id string) {
	r.Host = q.request.Host
	for name, value := range q.request.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", id)
	if r.Method == http.MethodPost {
		const body = "a body"
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

func (q question) String() string {
	r := q.request
	return fmt.Sprintf("set %d, %s, port %d: %s %s%s %v", q.set, q.caller, q.port, r.Method, r.Host, r.Path, r.Headers)
}

// fate names what becomes of a request, as the proxy that sends it sees it.
func fate(from fake.Source, workload string, code int, flags string) string {
	if code == http.StatusNotFound && workload == "" && from.Gateway == "" {
		return nowhere
	}
	if strings.Contains(flags, "UF") || strings.Contains(flags, "UT") {
		workload = "" // it has not answered
	}
	return fmt.Sprintf("logged %d %s to %s", code, cmp.Or(flags, "-"), cmp.Or(workload, "nobody"))
}

func isFate(name string) bool { return name == nowhere || strings.HasPrefix(name, "logged ") }

// kinds counts the questions by what was seen of them.
func kinds(all []sample) map[string]int {
	found := map[string]int{}
	for i := range all {
		of := map[string]bool{"divided": len(all[i].fates) > 1, "by Send alone": all[i].n == 0}
		arrived := 0.0
		for name, k := range all[i].sum {
			if strings.HasPrefix(name, "arrived") {
				arrived += k
			}
		}
		of["copied or repeated"] = arrived > all[i].n
		for name := range all[i].fates {
			what, _, answered := strings.Cut(strings.TrimPrefix(name, "logged "), " to ")
			if what[0] == '4' {
				what = "4.." + what[3:]
			}
			of[what] = answered || name == nowhere
		}
		for name, is := range of {
			if is {
				found[name]++
			}
		}
	}
	return found
}

// images are those of all pods that serve.
func (m *meaning) images() []string {
	var all []string
	for _, d := range deployed {
		if image := d.app + "-" + d.version; image != silent {
			all = append(all, image)
		}
	}
	return all
}
