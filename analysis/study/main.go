package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
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
	tables := flags.String("tables", "1,2,3", "which tables")
	pattern := flags.String("scenario", "", "only scenarios whose name matches this regular expression")
	rps := flags.String("rps", "1,10,100,1000", "requests of the canary in a second, for the tables 1 and 2")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	var rates []float64
	for _, text := range strings.Split(*rps, ",") {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || !(rate > 0) || rate > 1e6 {
			return fmt.Errorf("-rps %q: want numbers above 0, at most a million", text)
		}
		rates = append(rates, rate)
	}
	if r.n < 1 {
		return fmt.Errorf("-n %d: want 1 or more", r.n)
	}
	for _, t := range all(rates) {
		if strings.Contains(","+*tables+",", ","+t.number+",") {
			t.print(to, r, wanted)
		}
	}
	return nil
}
