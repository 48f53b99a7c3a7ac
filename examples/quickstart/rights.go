package main

import (
	"context"
	"fmt"
	"io"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/rights"
)

// printRole prints the Role that a driver of the plan needs.
func printRole(p canary.Plan, out io.Writer) error {
	parts, err := newParts(&rest.Config{}) // without a cluster
	if err != nil {
		return err
	}
	text, err := rights.YAML(rights.Roles("reviews-rollout", rights.Of(p, parts.Router, parts.Workload)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s", text)
	return err
}

// checkRights returns an error if a right is missing that the rollout will need.
func checkRights(ctx context.Context, p canary.Plan, cluster *rest.Config) error {
	parts, err := newParts(cluster)
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return err
	}
	return rights.Check(ctx, kube.AuthorizationV1().SelfSubjectAccessReviews(), rights.Of(p, parts.Router, parts.Workload))
}
