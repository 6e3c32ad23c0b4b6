package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/finalizer-watchdog/watchdog/sql"
)

// runCheck tries the configured statements on the real database, without running one of them, and prints what
// it found for a person. It returns 0 when nothing has to be changed, else 1. Nothing is written.
func runCheck(ctx context.Context, cfg sql.Config, stdout io.Writer) int {
	report := sql.Inspect(ctx, cfg)
	if report.Database != "" {
		fmt.Fprintln(stdout, "database:", report.Database)
	}
	if len(report.Statements) > 0 {
		fmt.Fprintln(stdout, "statements:", strings.Join(report.Statements, ", "))
	}
	for _, finding := range report.Findings {
		printFinding(stdout, finding)
	}
	if !report.OK() {
		fmt.Fprintln(stdout, "\nthe watchdog cannot do its work like this")
		return exitFailed
	}
	fmt.Fprintln(stdout, "\nnothing has to be changed")
	return exitOK
}

func printFinding(stdout io.Writer, finding sql.Finding) {
	subject := string(finding.Severity)
	if finding.Statement != "" {
		subject += " in " + finding.Statement
	}
	fmt.Fprintf(stdout, "\n%s: %s\n", subject, finding.Problem)
	if finding.Remedy != "" {
		fmt.Fprintf(stdout, "    %s\n", finding.Remedy)
	}
}
