package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/finalizer-watchdog/watchdog/sql"
)

const checkManual = `It tries every statement on the real database as the configured user, without running one of them, compares columns
and parameters with the contract, and looks for missing indexes and for full scans of large tables. It writes
nothing. The exit status is 0 when nothing has to be changed, 1 when something has, 2 when the settings are wrong.`

func runCheck(ctx context.Context, c *command) int {
	if status, ok := c.parse(c.flags(), 0, 0); !ok {
		return status
	}
	config, err := loadDatabaseConfig(c.env)
	if err != nil {
		return c.refuseSettings(err)
	}
	return checkDatabase(ctx, config.database(config.DatabaseURL), c.stdout)
}

// checkDatabase prints what is wrong with the database or the statements, for a person. It returns 0 when nothing
// has to be changed, else 1.
func checkDatabase(ctx context.Context, cfg sql.Config, stdout io.Writer) int {
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
