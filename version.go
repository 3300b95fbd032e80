package promptrails

// Version is the version of this package, as the User-Agent header gives it.
const Version = "0.1.0"
