variable "needed" {
  type = list(string)
}
variable "n" {
  type    = number
  default = 50
  validation {
    condition     = var.n < 10
    error_message = "The n value must be below ten."
  }
}
job "x" {
}
