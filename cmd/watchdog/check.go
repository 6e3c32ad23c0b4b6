package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/finalizer-watchdog/watchdog/sql"
)

const checkManual = `It tries every statement on the real database as the configured user, without running one of them, compares columns
and parameters with the contract, and looks for missing indexes and for full scans of large tables. Then it takes the
lock that keeps a second watchdog away, on WATCHDOG_DATABASE_DIRECT_URL if that is set, and gives it back. It writes
nothing. The exit status is 0 when nothing has to be changed, 1 when something has, 2 when the settings are wrong.`

func runCheck(ctx context.Context, c *command) int {
	if status, ok := c.parse(c.flags(), 0, 0); !ok {
		return status
	}
	config, err := loadDatabaseConfig(c.env)
	if err != nil {
		return c.refuseSettings(err)
	}
	return checkDatabase(ctx, config, c.stdout)
}

// checkDatabase prints what is wrong with the database or the statements, for a person. It returns 0 when nothing
// has to be changed, else 1.
func checkDatabase(ctx context.Context, config Config, stdout io.Writer) int {
	fmt.Fprintln(stdout, "url:", config.DatabaseURL)
	report := sql.Inspect(ctx, config.database(config.DatabaseURL))
	if report.Database != "" {
		fmt.Fprintln(stdout, "database:", report.Database)
	}
	if len(report.Statements) > 0 {
		fmt.Fprintln(stdout, "statements:", strings.Join(report.Statements, ", "))
	}
	if report.Database != "" || config.DatabaseDirectURL != config.DatabaseURL {
		checkLock(ctx, config, &report, stdout)
	}
	for _, finding := range report.Findings {
		printFinding(stdout, finding)
	}
	switch {
	case report.Has(sql.Fault):
		fmt.Fprintln(stdout, "\nthe watchdog cannot do its work like this")
	case report.Has(sql.Slow):
		fmt.Fprintln(stdout, "\nthe watchdog can do its work like this, slower than it should")
	default:
		fmt.Fprintln(stdout, "\nnothing has to be changed")
		return exitOK
	}
	return exitFailed
}

// checkLock takes the lock that keeps a second watchdog away, and gives it back. That another has it is as it should be
// where one is running.
func checkLock(ctx context.Context, config Config, report *sql.Report, stdout io.Writer) {
	url := config.DatabaseDirectURL
	lock, err := sql.NewExclusive(config.database(url))
	if err == nil {
		err = errors.Join(lock.Hold(ctx), lock.Close())
	}
	switch {
	case err == nil:
		fmt.Fprintln(stdout, "lock: free, by", url)
	case errors.Is(err, sql.ErrHeld):
		fmt.Fprintln(stdout, "lock: another watchdog has it, by", url)
	default:
		report.Findings = append(report.Findings, sql.Finding{Severity: sql.Fault,
			Problem: fmt.Sprintf("the lock cannot be had by %s: %v", url, err)})
	}
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
