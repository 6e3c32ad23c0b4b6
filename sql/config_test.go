package sql

import (
	"errors"
	"net/url"
	"os/user"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
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
		_, err := Open(Config{URL: bad})
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

// A password may be the user's name, a word of the message or a digit of an address: to mask it there would tell it.
func TestMasksTellNothing(t *testing.T) {
	const message = `dial 10.1.2.3:5432 of postgres://watchdog@host/jobs: password authentication failed for user "watchdog"`
	for _, password := range []string{"watchdog", "password", "1", "10.1.2.3", "jobs", "dog"} {
		src, err := parse(Config{URL: "postgres://watchdog:" + password + "@10.1.2.3:5432/jobs"})
		require.NoError(t, err)
		require.Equal(t, "try: "+message, src.fail("try", errors.New(message)).Error(), password)
		told := src.fail("try", errors.New("of postgres://watchdog:"+password+"@host/jobs, of host=h password="+password)).Error()
		require.Equal(t, "try: of postgres://watchdog:***@host/jobs, of host=h password=***", told)
	}
}

func TestFaultyParametersAreNamed(t *testing.T) {
	for parameters, want := range map[string]string{
		"sslmode=bogus":       `must have parameters that can be used: wrong value for "sslmode": "bogus" is not supported; supported values are `,
		"connect_timeout=abc": `must have parameters that can be used: wrong value for "connect_timeout": `,
		"sslmode=hunter2":     `must have parameters that can be used: wrong value for "sslmode": "***" is not supported`,
	} {
		require.ErrorContains(t, CheckURL("postgres://u:hunter2@h/d?"+parameters), want)
	}
}

// What ends a part of a URL may stand in a password that was not encoded: its end is in the path, a parameter's name, its
// value or the fragment then, which errors show.
func TestPasswordsThatWereNotEncoded(t *testing.T) {
	for _, bad := range []string{"1/hunter2", "1?hunter2", "1?sslmode=hunter2", "1#hunter2", "hunter2#1", "hunter2/1", "hunter2?1"} {
		require.EqualError(t, CheckURL("postgres://u:"+bad+"@h/d"), "must be postgres://USER:PASSWORD@HOST:PORT/NAME, "+
			"with special characters percent-encoded (%40 for @), or sqlite:PATH", bad)
	}
	for _, good := range []string{"postgres://u:a@b@h/d", "postgres:///d?user=u@server&host=h", "postgres://u%40server:p@h/d",
		"postgres://u:p@h/d?search_path=a&geqo_seed=1&custom.setting=x", "postgres://[::1]:5432/d", "postgres:///d?host=/run/pg"} {
		require.NoError(t, CheckURL(good), good)
	}
}

func TestAPasswordThatTheServerRefusesIsNotTold(t *testing.T) {
	f := onPostgres(t)
	store := f.open(t, Config{URL: f.pg.As("postgres", password), Timeout: timeout})
	_, err := store.Now(t.Context())
	require.ErrorContains(t, err, "password authentication failed")
	require.NotContains(t, err.Error(), password)
}

func TestAURLWithoutAUserWhereTheSystemKnowsNone(t *testing.T) {
	nobody := func() (*user.User, error) { return nil, user.UnknownUserIdError(65532) }
	refused := errors.New(`pq: wrong value for "port"`)
	assert.ErrorIs(t, new(source).unusable(user.UnknownUserIdError(65532), nobody), errUser)
	named := &source{server: pq.Config{User: "u"}}
	assert.ErrorContains(t, named.unusable(refused, nobody), `wrong value for "port"`)
	assert.ErrorContains(t, new(source).unusable(refused, user.Current), `wrong value for "port"`)
}
