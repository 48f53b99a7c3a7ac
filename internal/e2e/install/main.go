// Install gets the programs that the tests of this module run: it builds the
// control plane and fetches Envoy, once for all tests.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/serin-go/serin/internal/e2e/plane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := plane.Install(ctx, func(format string, args ...any) { fmt.Fprintf(os.Stderr, "install: "+format+"\n", args...) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}
