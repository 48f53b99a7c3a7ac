package sequential

import (
	"fmt"
	"math"
	"strings"
)

// Trace is how the evidence for a fail developed, in all metrics together: LogE has one
// natural logarithm for each look. The canary fails at FailAt.
type Trace struct {
	LogE   []float64
	FailAt float64
}

// columns is how wide a Trace is as text.
const columns = 60

// String draws the trace as a line of at most 60 characters, from ▁ (no evidence) to █
// (enough). Beyond 60 looks a character shows the highest of several.
func (t Trace) String() string {
	const signs = "▁▂▃▄▅▆▇█"
	each := max(1, (len(t.LogE)+columns-1)/columns)
	var line strings.Builder
	for from := 0; from < len(t.LogE); from += each {
		top := t.height(from)
		for k := from + 1; k < min(from+each, len(t.LogE)); k++ {
			top = max(top, t.height(k))
		}
		line.WriteRune([]rune(signs)[int(7*top)])
	}
	return line.String()
}

// height is that of a look, 0 to 1.
func (t Trace) height(k int) float64 {
	if !(t.FailAt > 0) || !(t.LogE[k] > 0) { // NaN included
		return 0
	}
	return min(t.LogE[k]/t.FailAt, 1)
}

// SVG draws the trace as an image of the given size in pixels, with a line at FailAt. The
// image can stand alone or in a page of HTML.
func (t Trace) SVG(width, height int) string {
	const margin = 2
	w, h := float64(max(width, 4*margin)), float64(max(height, 4*margin))
	var points strings.Builder
	for k := range t.LogE {
		x := margin + (w-2*margin)*float64(k)/math.Max(1, float64(len(t.LogE)-1))
		y := h - margin - (h-2*margin)*t.height(k)
		fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" role="img">`+
		`<title>evidence against the canary, %d looks</title>`+
		`<line x1="%d" y1="%d" x2="%.0f" y2="%[5]d" stroke="#c33" stroke-dasharray="4 3"/>`+
		`<polyline points="%[7]s" fill="none" stroke="#36c" stroke-width="1.5"/></svg>`,
		w, h, len(t.LogE), margin, margin, w-margin, strings.TrimSpace(points.String()))
}
