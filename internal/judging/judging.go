// Package judging holds what the judges of several packages have in common.
package judging

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/serin-go/serin/metrics"
)

// Mistakes is what is wrong with a judge of package analysis, all at once.
func Mistakes(judge string, asks metrics.Provider, errs []error) error {
	if asks == nil {
		errs = append(errs, errors.New("there is no Provider to ask"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("analysis: %s: %w", judge, err)
	}
	return nil
}

// Reporter returns who is to be asked. Nobody at the source counts copies, so
// Source gives way to Destination while the canary is only mirrored to.
func Reporter(wanted metrics.Reporter, mirrored bool) metrics.Reporter {
	if mirrored && wanted == metrics.Source {
		return metrics.Destination
	}
	return wanted
}

// Sound reports whether c can have been counted: above 1e15 a float64 has no halves any more. A
// Provider promises it.
func Sound(c metrics.Counts) bool { return 0 <= c.Bad && c.Bad <= c.Total && c.Total <= 1e15 }

// OneLine is the text of an error without line breaks.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Percent prints a share in per cent: "1%", "0.05%".
func Percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + "%" }
