package canary

import (
	"fmt"
	"strconv"
	"strings"
)

// Weight is a share of traffic in parts per million, used like a [time.Duration]:
// 5*canary.Percent, canary.Percent/10. Istio's mirroring resolves one part per million.
// The zero value is no traffic. In a Plan a Weight lies between 0 and [Full].
type Weight int64

// Units of Weight.
const (
	perMillion Weight = 1
	Percent    Weight = 10_000
	Full       Weight = 100 * Percent
)

// Valid reports whether w lies between 0 and Full.
func (w Weight) Valid() bool { return 0 <= w && w <= Full }

// String prints w in percent without trailing zeros: "5%", "0.1%", "12.5%".
func (w Weight) String() string {
	b, _ := w.AppendText(make([]byte, 0, 24))
	return string(b)
}

// AppendText implements [encoding.TextAppender] in the form of String.
func (w Weight) AppendText(b []byte) ([]byte, error) {
	whole, rest := w/Percent, w%Percent
	if w < 0 {
		b = append(b, '-')
		whole, rest = -whole, -rest
	}
	b = strconv.AppendInt(b, int64(whole), 10)
	if rest != 0 {
		digits := strconv.Itoa(int(Percent + rest))[1:]
		b = append(b, '.')
		b = append(b, strings.TrimRight(digits, "0")...)
	}
	return append(b, '%'), nil
}

// MarshalText implements [encoding.TextMarshaler] in the form of String.
func (w Weight) MarshalText() ([]byte, error) { return w.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler] by ParseWeight.
func (w *Weight) UnmarshalText(text []byte) error {
	parsed, err := ParseWeight(string(text))
	if err != nil {
		return err
	}
	*w = parsed
	return nil
}

// ParseWeight parses what String prints: a decimal number with a percent sign, from "0%"
// to "100%", with at most four decimals. A number without the sign is an error, because
// 0.5 could mean a half or half a percent.
func ParseWeight(s string) (Weight, error) {
	number, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, weightError(s, `want a percentage such as "12.5%"`)
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	if !digits(whole) || dotted && !digits(fraction) {
		return 0, weightError(s, `want digits and a percent sign, such as "12.5%"`)
	}
	if len(fraction) > 4 {
		return 0, weightError(s, "the finest share is 0.0001%")
	}
	ppm, err := strconv.ParseInt(whole+(fraction + "0000")[:4], 10, 64)
	if err != nil || !Weight(ppm).Valid() {
		return 0, weightError(s, "a share lies between 0% and 100%")
	}
	return Weight(ppm), nil
}

func weightError(s, want string) error {
	if len(s) > 32 {
		s = s[:32] + "..."
	}
	return fmt.Errorf("canary: weight %q: %s", s, want)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
