// Quickstart is a whole rollout of Bookinfo's reviews. Version 2 receives copies, then 20,
// 40, 60, 80 and 100 % of the traffic. Then the stable Deployment is updated to version 2,
// and the traffic returns to it.
//
// Without flags it runs on an embedded mesh: real HTTP servers and real requests on
// loopback, without a cluster. With -bad, version 2 fails one request in three and is
// rolled back, with exit status 3. With -kubeconfig and -prometheus the same plan runs on a
// cluster that has the objects of bookinfo.yaml. It needs the rights of role.yaml there;
// -role prints the Role for a -plan of your own.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/planfile"
)

//go:embed bookinfo.yaml
var bookinfo []byte

//go:embed plan.yaml
var plan []byte

//go:embed plan-fast.yaml
var fastPlan []byte

// The exit statuses.
const (
	promoted   = 0
	failed     = 1
	usage      = 2
	rolledBack = 3
)

type options struct {
	bad, fast, role        bool
	plan, manifests        string
	kubeconfig, prometheus string
	look                   time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout))
}

// run is the program: everything but the process it runs in.
func run(ctx context.Context, args []string, out io.Writer) int {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.BoolVar(&o.bad, "bad", false, "deploy a v2 that fails a third of its requests (embedded mesh only)")
	flags.BoolVar(&o.fast, "fast", true, "take seconds in place of minutes (embedded mesh only)")
	flags.StringVar(&o.plan, "plan", "", "a plan.yaml of your own")
	flags.StringVar(&o.manifests, "manifests", "", "a bookinfo.yaml of your own (embedded mesh only)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "run on this cluster")
	flags.StringVar(&o.prometheus, "prometheus", "", "the URL of the Prometheus server that scrapes that cluster's mesh")
	flags.DurationVar(&o.look, "look", 15*time.Second, "how often Prometheus scrapes, or longer: the judge looks at times of this length (on a cluster)")
	flags.BoolVar(&o.role, "role", false, "print the Role that the plan needs on a cluster, and nothing else")
	if err := flags.Parse(args); err != nil {
		return usage
	}
	if (o.kubeconfig == "") != (o.prometheus == "") || flags.NArg() > 0 {
		fmt.Fprintln(out, "quickstart: give both -kubeconfig and -prometheus, or neither, and no other arguments")
		return usage
	}
	state, err := rollOut(ctx, o, out)
	switch {
	case err == nil && o.role:
		return promoted
	case errors.Is(err, canary.ErrRolledBack):
		fmt.Fprintf(out, "\n%v\n", err)
		return rolledBack
	case err != nil:
		fmt.Fprintf(out, "\nquickstart: %v\n", err)
		return failed
	}
	fmt.Fprintf(out, "\n%s: %v (%s)\n", state.Name, strings.ToLower(state.Phase.String()), state.Reason)
	return promoted
}

func rollOut(ctx context.Context, o options, out io.Writer) (canary.State, error) {
	p, err := o.load()
	if err != nil {
		return canary.State{}, err
	}
	switch {
	case o.role:
		return canary.State{}, printRole(p, out)
	case o.kubeconfig != "":
		return onCluster(ctx, p, o, out)
	}
	return onEmbeddedMesh(ctx, p, o, out)
}

// load reads the plan that the options name.
func (o options) load() (canary.Plan, error) {
	text := plan
	if o.fast && o.kubeconfig == "" {
		text = fastPlan
	}
	if o.plan != "" {
		var err error
		if text, err = os.ReadFile(o.plan); err != nil {
			return canary.Plan{}, err
		}
	}
	return planfile.Parse(text)
}
