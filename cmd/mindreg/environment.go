package main

// Two topics of help, which are also sections of mindreg(1): the variables
// that the command reads, and the files that it writes.

const environmentHelp = `Variables of mindreg:

  MINDREG_URL           the registry, a URL or a directory, if --registry is not given
  MINDREG_CACHE_DIR     the directory of the cache
  MINDREG_CACHE_SIZE    the size of the cache, such as 20GiB (default 10GiB); with 0
                        nothing new is cached
  MINDREG_MEMORY_LIMIT  the memory for data in motion, such as 512MiB (default 256MiB,
                        or a quarter of the memory if that is less; at least 84MiB)
  MINDREG_LOCK_EPOCH    set by mindreg lock run, for its command: the fencing token

Variables of others, as their own documents define them:

  XDG_DATA_HOME, XDG_CACHE_HOME, HOME, LocalAppData
                        the user's own directories (mindreg help files)
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE,
  AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE
                        the account, the region and the server for s3:// URLs
  GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_CLOUD_PROJECT, STORAGE_EMULATOR_HOST
                        the account, the project and the server for gs:// URLs
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                        the proxy for requests to buckets
  GOMEMLIMIT, GOMAXPROCS
                        the memory and the processors that the program may use

mindreg doctor shows which account, server and proxy are used, and why.`

const filesHelp = `The registry, if neither --registry nor $MINDREG_URL names another:

  Linux    $XDG_DATA_HOME/mindreg, or ~/.local/share/mindreg
  macOS    ~/Library/Application Support/mindreg
  Windows  %LocalAppData%\mindreg

The cache, if $MINDREG_CACHE_DIR names no other (mindreg cache dir prints it). It
may be removed at any time:

  Linux    $XDG_CACHE_HOME/mindreg, or ~/.cache/mindreg
  macOS    ~/Library/Caches/mindreg
  Windows  %LocalAppData%\mindreg

What an interrupted load has fetched, beside its destination; the same load
continues from it, and mindreg clean removes it:

  .mindreg-*`
