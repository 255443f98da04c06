// placeholder
@main struct Program { static func main() {} }
