"""What a picture shows, apart from how it is drawn: layers of a scene, and their drawing."""
