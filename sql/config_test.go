package sql

import (
	"net/url"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

const password = "hunter2/ö%"

func TestURLsThatAreNone(t *testing.T) {
	for _, bad := range []string{
		"", "jobs.db", "sqlite:", "mysql://u:hunter2@host/db", "postgres://u:hunter2/x@host:5432/db",
		"postgres://u:hunter2%zz@host/db", "postgres://u:hunter2@host:port/db", "postgres://u:hunter2@host/db?sslmode=hunter2",
		"postgres://u:hunter2@host/db?connect_timeout=hunter2", "postgres://u@host/db?sslpassword=hunter2&port=hunter2",
		"postgres://u:hunter2\x00@host/db",
	} {
		_, err := Open(t.Context(), Config{URL: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hunter2")
		_, err = NewExclusive(Config{URL: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, problems(Inspect(t.Context(), Config{URL: bad})), "hunter2")
	}
}

func TestPathsOfSQLite(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite:jobs.db": "jobs.db", "sqlite:/a/jobs.db": "/a/jobs.db", "sqlite:///a/jobs.db": "/a/jobs.db", "sqlite:./a b?#%.db": "./a b?#%.db",
	} {
		src, err := parse(Config{URL: text})
		require.NoError(t, err)
		require.Equal(t, want, src.path)
	}
}

func TestSettingsOfPostgreSQL(t *testing.T) {
	src, err := parse(Config{URL: "postgres://u@host/db"})
	require.NoError(t, err)
	require.Equal(t, pq.SSLModePrefer, src.server.SSLMode)
	require.True(t, src.server.BinaryParameters)
	require.Equal(t, "UTC", src.server.Runtime["timezone"])
	require.Equal(t, 5*time.Second, src.server.ConnectTimeout)

	src, err = parse(Config{URL: "postgresql://u@host/db?sslmode=verify-full&connect_timeout=2&application_name=me", Timeout: time.Minute})
	require.NoError(t, err)
	require.Equal(t, pq.SSLModeVerifyFull, src.server.SSLMode)
	require.Equal(t, 2*time.Second, src.server.ConnectTimeout)
	require.Equal(t, "me", src.server.ApplicationName)
}

func TestPasswordsAreHidden(t *testing.T) {
	encoded := url.UserPassword("u", password).String()[2:]
	src, err := parse(Config{URL: "postgres://u:" + encoded + "@host/db"})
	require.NoError(t, err)
	told := src.fail("try", &url.Error{Op: "parse", URL: "postgres://u:" + encoded, Err: errURL}).Error() +
		src.fail("try", &url.Error{Op: "dial", URL: password, Err: errURL}).Error()
	require.NotContains(t, told, password)
	require.NotContains(t, told, encoded)
	require.Contains(t, told, "***")
}

func TestAPasswordThatTheServerRefusesIsNotTold(t *testing.T) {
	f := onPostgres(t)
	store := f.open(t, Config{URL: f.pg.As("postgres", password), Timeout: timeout})
	_, err := store.Now(t.Context())
	require.ErrorContains(t, err, "password authentication failed")
	require.NotContains(t, err.Error(), password)
}
