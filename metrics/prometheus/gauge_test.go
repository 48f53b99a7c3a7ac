package prometheus_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

const memory = `avg(container_memory_working_set_bytes{pod=~"reviews-v2-.*"})`

// quarters is n windows of 15 s from noon on.
func quarters(n int) (windows []metrics.Window) {
	for i := range n {
		from := noon.Add(time.Duration(i) * 15 * time.Second)
		windows = append(windows, metrics.Window{From: from, To: from.Add(15 * time.Second)})
	}
	return windows
}

// points is an answer with one series.
func points(values string) string { return matrix(`{"metric":{},"values":[` + values + `]}`) }

// equalBits compares numbers, with NaN as one of them.
func equalBits(t require.TestingT, want, got []float64) {
	bits := func(values []float64) (all []uint64) {
		for _, v := range values {
			if math.IsNaN(v) {
				v = math.NaN()
			}
			all = append(all, math.Float64bits(v))
		}
		return all
	}
	require.Equal(t, bits(want), bits(got), "want %v, got %v", want, got)
}

func TestTheValueOfAWindowIsTheMeanOfItsPoints(t *testing.T) {
	nan := math.NaN()
	halves := []metrics.Window{{From: noon, To: noon.Add(30 * time.Second)}, {From: noon.Add(30 * time.Second), To: noon.Add(time.Minute)}}
	apart := []metrics.Window{halves[0], {From: noon.Add(45 * time.Second), To: noon.Add(time.Minute)}}
	for name, c := range map[string]struct {
		windows []metrics.Window
		answer  string
		want    []float64
	}{
		"a point for each window": {quarters(2), points(`[1772366415,"3"],[1772366430,"-4.5"]`), []float64{3, -4.5}},
		"a point at the end belongs to the window, one at the start to the one before": {halves,
			points(`[1772366400,"1000"],[1772366415,"1"],[1772366430,"2"],[1772366445,"5"],[1772366460,"6"]`), []float64{1.5, 5.5}},
		"what lies between windows belongs to none": {apart,
			points(`[1772366415,"1"],[1772366430,"2"],[1772366445,"1000"],[1772366460,"6"],[1772366475,"1000"]`), []float64{1.5, 6}},
		"a window without a point":                {quarters(3), points(`[1772366415,"3"],[1772366445,"4"]`), []float64{3, nan, 4}},
		"a point that is no number is none":       {halves, points(`[1772366415,"NaN"],[1772366430,"2"],[1772366445,"NaN"],[1772366460,"NaN"]`), []float64{2, nan}},
		"nor is infinity, of a division by zero":  {halves, points(`[1772366415,"+Inf"],[1772366430,"2"],[1772366445,"-Inf"]`), []float64{2, nan}},
		"zero is a value":                         {quarters(2), points(`[1772366430,"0"]`), []float64{nan, 0}},
		"a sum beyond all numbers is no value":    {halves, points(`[1772366415,"1e308"],[1772366430,"1e308"],[1772366445,"1"]`), []float64{nan, 1}},
		"an arm that has ended is no stale store": {quarters(40), points(`[1772366415,"3"]`), append([]float64{3}, slices.Repeat([]float64{nan}, 39)...)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, 200, c.answer), prometheus.Config{}).Values(t.Context(), memory, c.windows)
			require.NoError(t, err)
			equalBits(t, c.want, got)
		})
	}
}

func TestEveryKindOfNoValueHasItsError(t *testing.T) {
	for name, c := range map[string]struct {
		query   string
		windows []metrics.Window
		status  int
		answer  string
		want    error
		text    string
	}{
		"no series":         {memory, quarters(2), 200, matrix(""), metrics.ErrNoSeries, "prometheus: " + memory + ": no series"},
		"no numbers":        {memory, quarters(2), 200, points(`[1772366415,"NaN"],[1772366430,"+Inf"]`), metrics.ErrNoSeries, ""},
		"points elsewhere":  {memory, quarters(2), 200, points(`[1772366400,"1"],[1772366445,"1"]`), metrics.ErrNoSeries, ""},
		"several series":    {"x", quarters(1), 200, matrix(`{"metric":{"pod":"a"},"values":[]},{"metric":{"pod":"b"},"values":[]}`), metrics.ErrManySeries, `{pod="a"} and {pod="b"}; aggregate them`},
		"warnings":          {memory, quarters(1), 200, `{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["store a: unreachable"]}`, metrics.ErrPartial, "store a: unreachable"},
		"native histograms": {"h", quarters(1), 200, matrix(`{"metric":{},"histograms":[[1772366410,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]]}`), metrics.ErrBadQuery, "native"},
		"not a matrix":      {memory, quarters(1), 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, metrics.ErrBadQuery, "not a matrix"},
		"not PromQL":        {"avg(", quarters(1), 400, `{"status":"error","errorType":"bad_data","error":"parse error: unclosed left parenthesis"}`, metrics.ErrBadQuery, "unclosed"},
		"a refusal":         {memory, quarters(1), 422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`, metrics.ErrUnavailable, "too many samples"},
		"a gateway's error": {memory, quarters(1), 502, `<html>Bad Gateway</html>`, metrics.ErrUnavailable, "502"},
		"not JSON":          {memory, quarters(1), 200, `<html>Please log in</html>`, metrics.ErrUnavailable, ""},
		"no query":          {" \n", quarters(1), 200, matrix(""), metrics.ErrBadQuery, "empty"},
		"no window":         {memory, nil, 200, matrix(""), metrics.ErrBadQuery, "want at least one window"},
		"windows overlap":   {memory, []metrics.Window{minute, minute}, 200, matrix(""), metrics.ErrBadQuery, "window 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, c.status, c.answer), prometheus.Config{}).Values(t.Context(), c.query, c.windows)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Nil(t, got)
		})
	}
}

func TestOneQuestionForTheValuesOfAllWindows(t *testing.T) {
	for name, c := range map[string]struct {
		windows []metrics.Window
		step    time.Duration
		query   string
		at      string
	}{
		"windows that meet":      {quarters(4), 0, "(" + memory + ")[1m:15s]", "1772366460"},
		"a step of one's own":    {quarters(4), 1500 * time.Millisecond, "(" + memory + ")[1m:1s500ms]", "1772366460"},
		"a gap is asked as well": {[]metrics.Window{quarters(1)[0], quarters(4)[3]}, 0, "(" + memory + ")[1m:15s]", "1772366460"},
		"both ends outwards to milliseconds": {
			[]metrics.Window{{From: noon.Add(400 * time.Microsecond), To: noon.Add(time.Second + 600*time.Microsecond)}},
			0, "(" + memory + ")[1s1ms:15s]", "1772366401.001"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			a := client(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.FormValue("query"), r.FormValue("time"))
				fmt.Fprint(w, matrix(""))
			})
			_, err := provider(t, a, prometheus.Config{Step: c.step}).Values(t.Context(), memory, c.windows)
			require.ErrorIs(t, err, metrics.ErrNoSeries)
			require.Equal(t, []string{c.query, c.at}, asked)
		})
	}
}

// gauge answers a subquery as Prometheus does, from readings of one series, of
// which it knows those up to now. Version 3 leaves the start of the range out.
type gauge struct {
	readings []model.SamplePair
	now      time.Time
	version  int
}

var subqueryForm = regexp.MustCompile(`^\(memory\)\[(\w+):(\w+)\]$`)

func (g gauge) Query(_ context.Context, query string, at time.Time, _ ...v1.Option) (model.Value, v1.Warnings, error) {
	const lookback = 5 * time.Minute
	form := subqueryForm.FindStringSubmatch(query)
	if form == nil {
		return nil, nil, fmt.Errorf("not simulated: %s", query)
	}
	over, err := model.ParseDuration(form[1])
	if err != nil {
		return nil, nil, err
	}
	step, err := model.ParseDuration(form[2])
	if err != nil {
		return nil, nil, err
	}
	end, every := at.UnixMilli(), time.Duration(step).Milliseconds()
	start := end - time.Duration(over).Milliseconds()
	first := start / every * every
	if first < start || first == start && g.version == 3 {
		first += every
	}
	stream := &model.SampleStream{}
	for ms := first; ms <= end; ms += every {
		for _, r := range slices.Backward(g.readings) {
			if int64(r.Timestamp) <= ms && !r.Timestamp.Time().After(g.now) && int64(r.Timestamp) > ms-lookback.Milliseconds() {
				stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.Time(ms), Value: r.Value})
				break
			}
		}
	}
	if stream.Values == nil {
		return model.Matrix{}, nil, nil
	}
	return model.Matrix{stream}, nil, nil
}

func drawGauge(t *rapid.T) gauge {
	g := gauge{version: rapid.IntRange(2, 3).Draw(t, "version")}
	at := noon
	for range rapid.IntRange(1, 30).Draw(t, "readings") {
		at = at.Add(time.Duration(rapid.IntRange(1, 60_000).Draw(t, "ms")) * time.Millisecond)
		v := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1)})).Draw(t, "value")
		g.readings = append(g.readings, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(v)})
	}
	return g
}

// drawWindows makes windows whose ends are no whole seconds, nor milliseconds.
func drawWindows(t *rapid.T) (windows []metrics.Window) {
	at := noon
	for range rapid.IntRange(1, 12).Draw(t, "windows") {
		from := at.Add(time.Duration(rapid.Int64Range(0, 1).Draw(t, "gap") * rapid.Int64Range(0, 2e10).Draw(t, "ns")))
		at = from.Add(time.Duration(rapid.Int64Range(1, 1e11).Draw(t, "length")))
		windows = append(windows, metrics.Window{From: from, To: at})
	}
	return windows
}

// Whoever asks for the first windows as soon as they are over gets what is had
// later, when there are more readings and more windows.
func TestValuesAreTheSameBitsWheneverTheyAreGathered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, windows := drawGauge(t), drawWindows(t)
		first := windows[:rapid.IntRange(1, len(windows)).Draw(t, "first")]
		config := prometheus.Config{Step: time.Duration(rapid.IntRange(1, 40).Draw(t, "step")) * 500 * time.Millisecond}
		ask := func(now time.Time, windows []metrics.Window) []float64 {
			g.now = now
			p, err := prometheus.New(g, config)
			require.NoError(t, err)
			values, err := p.Values(context.Background(), "memory", windows)
			if metrics.NoData(err) {
				return slices.Repeat([]float64{math.NaN()}, len(windows))
			}
			require.NoError(t, err)
			return values
		}
		early := ask(first[len(first)-1].To, first)
		late := ask(noon.Add(time.Hour), windows)
		equalBits(t, early, late[:len(first)])
		for i, v := range late {
			require.False(t, math.IsInf(v, 0))
			equalBits(t, []float64{v}, ask(noon.Add(time.Hour), windows[i:i+1]))
		}
	})
}
