// Study simulates rollouts and prints how the judge of package
// analysis/sequential does beside the rules of other tools: how often it rolls
// back a healthy canary, and how soon a bad one.
//
//	go run ./internal/study                          all tables, in some minutes
//	go run ./internal/study -n 100 -tables 2 -rps 10 a part, roughly
//	go run ./internal/study -h                       all flags
//
// A rollout has 60 minutes in looks of 15 seconds; stable gets 19 requests for
// each one of the canary; traffic is Poisson. Latency is lognormal, with a median
// of 80 ms and sigma 0.6, in Envoy's buckets; of +10 % or +50 % all requests of the
// canary are bad ones. The repetitions are the same for every rule, and depend on
// the seed alone. Two standard errors of 1000 repetitions are 0.6 % at 1 %.
//
// The rules, by minute unless something else is said; in table 3, AsympCS and E05
// are those at every look:
//
//	Flagger   fails at the 5th check with less than 99 % of success, or a 99th
//	          percentile above 500 ms [peers.Flagger]
//	Argo      fails at the 4th check with less than 95 %, or such a percentile
//	          [peers.Argo]
//	MW        Kayenta's rule on error shares, or 99th percentiles, each minute or
//	          at the end [peers.Kayenta]
//	z         pooled two-proportion z at 5 %; of latency, above 250 ms
//	AsympCS   an asymptotic confidence sequence for the difference; likewise
//	E05       section 2 of package sequential without margin, noise, cap, or
//	          evidence that starts later; of latency, the mean over the bounds
//	E05-15s   the same at every look
//	REC       recommended settings with a grid of equal weights, at every look
//	Serin     the library's defaults, sequential.Settings{}, at every look
//	REC strict  the preset sequential.Strict
//	BB tau.3  beta-binomial blocks, noise 0.3, at every look
//	min(E,T)  the lesser evidence of E05 and of a t process on log ratios
//
// Tables 4 to 10 show the library's defaults alone:
//
//	4  faults that begin after healthy looks, with 0.1 % errors before
//	5  faults of other shapes after an hour of health
//	6  healthy canaries for which what the judge assumes does not hold, also with the
//	   margins of Strict
//	7  evidence for a fail against healthy canaries; "in doubt" holds a pass back
//	8  a canary that has half of the traffic for an hour, and then all of it, by how much
//	   worse it may be then; one that becomes slower after 201 healthy looks, beside a
//	   baseline or with all of the traffic; and plans of five steps from the first look to
//	   the promotion
//	9  canaries that get no requests, because these reach no pod; "few" and "unreached"
//	   are the halves of the test
//	10 passes with few requests, by margin, beside the forecast: its chance, and the usual
//	   looks
//
// Looks count from the first one of the fault; rollouts that failed before it are left out. The
// rates in a second are the canary's; those of both arms in table 9 and, but for slower canaries,
// in table 8. Share is the canary's part by the plan. A step of a plan ends when it passes, after
// ten minutes or later; after an hour the plan ends without a promotion.
//
// In the scenarios of table 3, "private" is gamma noise of the canary alone with
// this coefficient of variation, "AR1" lognormal noise of the canary alone that is
// autoregressive from look to look; a "ramp" takes the canary from 1 to 50 % of the
// traffic while the errors of both drift from 0.1 to 1 %; "late" begins at minute
// 30.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := study(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "study:", err)
		os.Exit(2)
	}
}

// study prints the tables that the arguments ask for.
func study(args []string, to io.Writer) error {
	flags := flag.NewFlagSet("study", flag.ContinueOnError)
	var r run
	flags.IntVar(&r.n, "n", 1000, "repetitions of each scenario")
	flags.Uint64Var(&r.seed, "seed", 1, "of the random numbers")
	tables := flags.String("tables", "1,2,3,4,5,6,7,8,9,10", "which tables")
	pattern := flags.String("scenario", "", "only scenarios whose name matches this regular expression")
	rps := flags.String("rps", "1,10,100,1000", "requests in a second, for the tables 1, 2, 4, 5, 7 and 8")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	rates, err := numbers(*rps)
	if err != nil {
		return err
	}
	if r.n < 1 {
		return fmt.Errorf("-n %d: want 1 or more", r.n)
	}
	if !regexp.MustCompile(`^([1-9]|10)(,([1-9]|10))*$`).MatchString(*tables) {
		return fmt.Errorf("-tables %q: want numbers from 1 to 10, such as 1,4", *tables)
	}
	for _, t := range all(rates) {
		if slices.Contains(strings.Split(*tables, ","), t.number) {
			if err := t.print(to, r, wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbers reads the argument of -rps.
func numbers(list string) (rates []float64, err error) {
	for text := range strings.SplitSeq(list, ",") {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || !(rate >= 1 && rate <= 1e6) {
			return nil, fmt.Errorf("-rps %q: want numbers from 1, so that no minute is empty, to a million", text)
		}
		rates = append(rates, rate)
	}
	return rates, nil
}
