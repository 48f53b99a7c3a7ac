package prometheus_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

var _ metrics.RefusalReader = (*prometheus.Provider)(nil)

// istiod answers with the values of its metrics at both ends of a window: lines in the text
// format of Prometheus, of an instance that is named before them.
type istiod struct {
	before, after string
	asked         []string
}

func (i *istiod) provider(t *testing.T, names metrics.Names) *prometheus.Provider {
	t.Helper()
	a := client(t, func(w http.ResponseWriter, r *http.Request) {
		i.asked = append(i.asked, r.FormValue("query")+" @ "+r.FormValue("time"))
		lines := i.after
		if r.FormValue("time") == "1772366400" {
			lines = i.before
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`+samples(lines)+`]}}`)
	})
	return provider(t, a, prometheus.Config{Names: names})
}

// samples spells lines like `a: pilot_xds{version="1.31"} 3` as the API does.
func samples(lines string) string {
	var all []string
	for line := range strings.Lines(lines) {
		instance, metric, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		metric, value, _ := strings.Cut(metric, "} ")
		name, labels, _ := strings.Cut(metric, "{")
		labels = strings.NewReplacer(`="`, `":"`, `",`, `","`).Replace(labels)
		all = append(all, fmt.Sprintf(`{"metric":{"__name__":%q,"instance":%q,"%s},"value":[1772366460,%q]}`, name, instance, labels, value))
	}
	return strings.Join(all, ",")
}

const (
	proxies = `
		a: pilot_xds{version="1.31.0"} 12`
	webRefused = proxies + `
		a: pilot_total_xds_rejects{type="rds"} 3
		a: pilot_xds_rds_reject{err="Internal",node="web-7d9f-x2lqp.shop"} 1`
)

func TestWhoRefusesIsReadFromIstiodsCounters(t *testing.T) {
	web := metrics.Refusal{Pod: "web-7d9f-x2lqp", Namespace: "shop", Resource: metrics.Routes}
	for name, c := range map[string]struct {
		before, after string
		want          []metrics.Refusal
	}{
		"nothing was ever refused":       {proxies, proxies, nil},
		"the first refusal":              {proxies, webRefused, []metrics.Refusal{web}},
		"one more":                       {`a: pilot_total_xds_rejects{type="rds"} 2`, webRefused, []metrics.Refusal{web}},
		"none in the window":             {`a: pilot_total_xds_rejects{type="rds"} 3`, webRefused, nil},
		"istiod began anew":              {`a: pilot_total_xds_rejects{type="rds"} 7`, webRefused, []metrics.Refusal{web}},
		"another istiod counted it":      {`a: pilot_total_xds_rejects{type="rds"} 3`, webRefused + "\nb: pilot_total_xds_rejects{type=\"rds\"} 1\nb: pilot_xds_rds_reject{err=\"Internal\",node=\"pay.x-0.shop\"} 1", []metrics.Refusal{{Pod: "pay.x-0", Namespace: "shop", Resource: metrics.Routes}}},
		"another kind was refused":       {`a: pilot_total_xds_rejects{type="rds"} 3`, webRefused + "\na: pilot_total_xds_rejects{type=\"lds\"} 1\na: pilot_xds_lds_reject{err=\"Internal\",node=\"edge\"} 1", []metrics.Refusal{{Pod: "edge", Resource: metrics.Listeners}}},
		"of all kinds":                   {proxies, "a: pilot_total_xds_rejects{type=\"cds\"} 1\na: pilot_total_xds_rejects{type=\"eds\"} 1\na: pilot_xds_eds_reject{node=\"b.s\",err=\"Internal\"} 1\na: pilot_xds_cds_reject{node=\"b.s\",err=\"Unknown\"} 1\na: pilot_xds_cds_reject{node=\"b.s\",err=\"Internal\"} 1", []metrics.Refusal{{Pod: "b", Namespace: "s", Resource: metrics.Clusters}, {Pod: "b", Namespace: "s", Resource: metrics.Endpoints}}},
		"a mark that was taken back":     {proxies, proxies + "\na: pilot_total_xds_rejects{type=\"rds\"} 1\na: pilot_xds_rds_reject{err=\"Internal\",node=\"web.shop\"} 0", []metrics.Refusal{{Resource: metrics.Routes}}},
		"istiod names nobody":            {proxies, proxies + "\na: pilot_total_xds_rejects{type=\"rds\"} 1", []metrics.Refusal{{Resource: metrics.Routes}}},
		"a kind that is not looked at":   {proxies, proxies + "\na: pilot_total_xds_rejects{type=\"ecds\"} 1", nil},
		"a counter that is not a number": {proxies, proxies + "\na: pilot_total_xds_rejects{type=\"rds\"} NaN", nil},
	} {
		t.Run(name, func(t *testing.T) {
			i := istiod{before: c.before, after: c.after}
			got, err := i.provider(t, metrics.Names{}).Refusals(t.Context(), minute)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestRefusalsTakeTwoInstantQueriesAtMost(t *testing.T) {
	const all = `{__name__=~"pilot_xds|pilot_total_xds_rejects|pilot_xds_(cds|eds|lds|rds)_reject"} @ 1772366460`
	i := istiod{before: proxies, after: webRefused}
	_, err := i.provider(t, metrics.Names{}).Refusals(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, []string{all, `{__name__=~"pilot_xds|pilot_total_xds_rejects"} @ 1772366400`}, i.asked)

	i = istiod{after: proxies}
	_, err = i.provider(t, metrics.Names{}).Refusals(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, []string{all}, i.asked)
}

func TestRefusalsOfSeveralIstiodsAreToldApartByTheLabelOfTheConfig(t *testing.T) {
	i := istiod{
		before: `x: pilot_total_xds_rejects{type="rds",pod="a"} 1`,
		after: `x: pilot_total_xds_rejects{type="rds",pod="a"} 1
			x: pilot_total_xds_rejects{type="rds",pod="b"} 1
			x: pilot_xds_rds_reject{node="old.shop",pod="a"} 1
			x: pilot_xds_rds_reject{node="new.shop",pod="b"} 1`,
	}
	got, err := i.provider(t, metrics.Names{Instance: "pod"}).Refusals(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, []metrics.Refusal{{Pod: "new", Namespace: "shop", Resource: metrics.Routes}}, got)
}

func TestRefusalsHaveTheErrorsOfCounts(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		window metrics.Window
		want   error
		text   string
	}{
		"istiod is not scraped": {200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, minute, metrics.ErrNoSeries, "prometheus: refusals that istiod counted: no series"},
		"warnings":              {200, `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store a: unreachable"]}`, minute, metrics.ErrPartial, "store a"},
		"a matrix":              {200, matrix(""), minute, metrics.ErrNotCounter, "not a vector"},
		"a gateway's error":     {502, `<html>Bad Gateway</html>`, minute, metrics.ErrUnavailable, "502"},
		"no window":             {200, matrix(""), metrics.Window{From: noon, To: noon}, metrics.ErrBadQuery, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, c.status, c.answer), prometheus.Config{}).Refusals(t.Context(), c.window)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Nil(t, got)
		})
	}
}

func TestAStoreThatGoesAwayBetweenTheQueriesTellsNothing(t *testing.T) {
	a := client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("time") == "1772366400" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`+samples(webRefused)+`]}}`)
	})
	_, err := provider(t, a, prometheus.Config{}).Refusals(t.Context(), minute)
	require.ErrorIs(t, err, metrics.ErrUnavailable)
}

// A store that was not there when the window began does not tell what was refused since then.
func TestAGapMakesNoOldRefusalANewOne(t *testing.T) {
	i := istiod{after: webRefused}
	got, err := i.provider(t, metrics.Names{}).Refusals(t.Context(), minute)
	require.ErrorIs(t, err, metrics.ErrNoSeries)
	require.ErrorContains(t, err, "at the beginning of the window")
	require.Nil(t, got)
}
